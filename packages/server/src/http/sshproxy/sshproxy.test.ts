import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOCAL_OFFER } from '../testing/offers.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ sshProxyToken: 'proxy-token' });
  server.offers.push(LOCAL_OFFER);
});
afterAll(() => server.close());

const ask = (id: string, token: string | null = 'proxy-token') =>
  server.call('/api/sshproxy/get_upstream', { id }, { token });

/** A submitted run whose job runs on an instance with these properties. */
async function runningJob(name: string, set: object): Promise<string> {
  const run_spec = {
    run_name: name,
    configuration: { type: 'task', commands: ['sleep 1'] },
    profile: { name: 'default' },
    ssh_key_pub: 'ssh-ed25519 AAAArun me',
  };
  const plan = { plan: { run_spec }, force: false };
  const run = await server.call('/api/project/main/runs/apply', plan);
  const id: string = run.body.jobs[0].job_submissions[0].id;
  const view = await server.store.jobs.byId(id);
  const change = {
    type: 'job.update' as const,
    id,
    version: view?.job.version ?? 0,
    set: { status: 'running' as const, ...set },
  };
  expect(await server.store.engine.apply([change])).toBe('applied');
  return id;
}

const placed = (more: object) => ({
  backend: 'aws' as const,
  instance_type: LOCAL_OFFER.instance,
  instance_id: 'i-1',
  hostname: '192.0.2.1',
  region: 'r',
  price: 1,
  username: 'ubuntu',
  ssh_port: 2222,
  dockerized: true,
  ssh_proxy: { hostname: 'jump', username: 'j', port: 22 },
  ...more,
});

describe('the route of the SSH proxy to a job', () => {
  it('leads over jump host and host into the container', async () => {
    await server.call('/api/users/public_keys/add', {
      key: `ssh-ed25519 ${Buffer.from('\0\0\0\x0bssh-ed25519\0\0\0 '.padEnd(51, 'x')).toString('base64')} own`,
    });
    const runtimeData = {
      network_mode: 'bridge',
      ports: { 10022: 32771 },
      username: 'dev',
      offer: null,
    };
    const id = await runningJob('boxed', { provisioningData: placed({}), runtimeData });
    const answer = await ask(id.replaceAll('-', ''));
    expect(answer.body.hosts).toMatchObject([
      { host: 'jump', port: 22, user: 'j' },
      { host: '192.0.2.1', port: 2222, user: 'ubuntu' },
      { host: 'localhost', port: 32771, user: 'dev' },
    ]);
    expect(answer.body.hosts[2].private_key).toContain('PRIVATE KEY');
    const user = await server.call('/api/users/get_my_user');
    expect(answer.body.authorized_keys).toContain('ssh-ed25519 AAAArun me');
    expect(answer.body.authorized_keys).toContain(user.body.ssh_public_key.trim());
    expect(answer.body.authorized_keys).toHaveLength(3);
  });

  it('ends at the host if the job has its own SSH server', async () => {
    const provisioningData = placed({ dockerized: false, ssh_proxy: null });
    const id = await runningJob('plain', { provisioningData });
    const hosts = (await ask(id)).body.hosts;
    expect(hosts).toMatchObject([{ host: '192.0.2.1', port: 2222, user: 'root' }]);
  });

  it('is returned to the proxy only, and for running jobs only', async () => {
    const id = '00000000-0000-4000-8000-000000000000';
    expect((await ask(id)).body.detail[0].code).toBe('resource_not_exists');
    expect((await ask('no id')).body.detail[0].code).toBe('resource_not_exists');
    expect((await ask(id, server.token)).status).toBe(403);
    expect((await ask(id, null)).status).toBe(403);
  });
});
