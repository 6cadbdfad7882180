import type { JobSpecForAgent } from '@dstack/contract/agent';
import type { JobRecord } from '@dstack/core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { insertInstances } from '../http/testing/services.ts';
import { startTestServer, type TestServer } from '../http/testing/test-server.ts';
import { JobSpecError } from './named-secrets.ts';
import { JobStarter } from './start-job.ts';

const SECRETS = {
  used: 'value-of-used',
  other: 'value-of-other',
  registry: 'value-of-registry',
  fleet: 'value-of-fleet',
  overridden: 'value-of-overridden',
  short: 'abc',
  padded: 'padded-value\n',
} as const;

let server: TestServer;
let instanceId: string;

beforeAll(async () => {
  server = await startTestServer();
  for (const [name, value] of Object.entries(SECRETS)) {
    await server.call('/api/project/main/secrets/create_or_update', { name, value });
  }
  [instanceId = ''] = await insertInstances(server, 1);
});
afterAll(() => server.close());

/** The input that the agent gets for the first job of a run with this configuration. */
let features: readonly string[] | undefined;
let mounted: object[] = [];
let attachments: object[] = [];

async function startedSpec(
  configuration: object,
  more: object = {},
  fleetEnv = {},
  volumes: object[] | null = null,
) {
  const { store } = server;
  const run_spec = {
    ...more,
    configuration: { type: 'task', commands: ['true'], ...configuration },
    profile: { name: 'default' },
  };
  const submitted = await server.call('/api/project/main/runs/apply', {
    plan: { run_spec },
    force: false,
  });
  if (submitted.status !== 200) throw new Error(submitted.text);
  const [job] = await store.jobs.ofRun(submitted.body.id);
  const found = job && (await store.jobs.byId(job.id));
  const mounting = found && { ...found.job, spec: { ...found.job.spec, volumes } };
  const view = found && (volumes ? { ...found, job: mounting as JobRecord } : found);
  const instance = (await store.instances.byId(instanceId))?.instance;
  if (!view || !instance) throw new Error('nothing to start');
  const sent: JobSpecForAgent[] = [];
  const agent = {
    info: async () => ({ features }),
    putJob: async (spec: JobSpecForAgent) => {
      sent.push(spec);
      return { state: {}, missing: { archives: [], code: false } };
    },
  };
  const fleets = {
    recordById: async () => ({ spec: { configuration: { env: fleetEnv } } }),
  };
  const starter = new JobStarter({
    store: {
      ...store,
      fleets: fleets as never,
      volumes: {
        ...store.volumes,
        ofJob: async () => mounted as never,
        byId: async () => ({ attachments }) as never,
      },
    },
    blobs: { get: async () => null },
    defaultRegistry: null,
    pushKeys: () => {},
    loopback: false,
    cloneLimits: { bytes: null, seconds: null },
    local: {
      projects: new Set(['main']),
      trusted: true,
      mounts: true,
      users: true,
      loopback: false,
    },
  });
  await starter.start(agent as never, view, instance, false);
  const [spec] = sent;
  if (!spec) throw new Error('nothing was sent');
  return spec;
}

describe('the input of a job on its host', () => {
  it('contains the secrets that the job names, and no others of its project', async () => {
    const spec = await startedSpec(
      {
        env: { TOKEN: 'Bearer ${{ secrets.used }}', LEVEL: 'own' },
        registry_auth: { username: 'me', password: '${{ secrets.registry }}' },
      },
      {},
      { FLEET: '${{ secrets.fleet }}', LEVEL: '${{ secrets.overridden }}' },
    );
    expect(spec.env).toMatchObject({ TOKEN: 'Bearer value-of-used', FLEET: 'value-of-fleet' });
    const named = [SECRETS.used, SECRETS.registry, SECRETS.fleet];
    expect([...spec.masked_values].sort()).toEqual([...named].sort());
    const text = JSON.stringify(spec);
    for (const value of [SECRETS.other, SECRETS.overridden]) expect(text).not.toContain(value);
  });

  it('has no secret to mask if the job names none', async () => {
    const spec = await startedSpec({ env: { A: 'plain $${{ secrets.used }}' } });
    expect(spec.masked_values).toEqual([]);
    expect(JSON.stringify(spec)).not.toContain('value-of');
  });

  it('masks values without the blanks at their ends, and none of under four characters', async () => {
    const spec = await startedSpec({
      env: { A: '${{ secrets.padded }}', B: '${{ secrets.short }}' },
    });
    expect(spec.env).toMatchObject({ A: 'padded-value\n', B: 'abc' });
    expect(spec.masked_values).toEqual(['padded-value']);
  });

  it('masks the credentials of its repo, which are in its home', async () => {
    const creds = {
      clone_url: 'https://git.test/me/code.git',
      oauth_token: 'repo-token',
      private_key: '-----BEGIN KEY-----\nabc\n-----END KEY-----\n',
    };
    const remote = { repo_type: 'remote', repo_name: 'code' };
    const repo = { repo_id: 'code', repo_info: remote, repo_creds: creds };
    await server.call('/api/project/main/repos/init', repo);
    const data = { ...remote, repo_branch: 'main', repo_hash: 'abcdef0123' };
    const spec = await startedSpec({}, { repo_id: 'code', repo_data: data });
    expect(spec.repo).toMatchObject({ oauth_token: 'repo-token' });
    expect(spec.masked_values).toEqual(['repo-token', creds.private_key.trim()]);
  });

  describe('with `dstack: true`', () => {
    const URL = 'http+unix://%2Frun%2Fdstack%2Fserver.sock';
    beforeEach(() => {
      features = ['server-access'];
    });

    it('contains a token of the job, to be masked, and the access to the server', async () => {
      const spec = await startedSpec({ dstack: true });
      const token = await server.store.meta.jobTokens.of(spec.id);
      expect(token).toMatch(/^dstack_st_job_[0-9a-f]{32}_[\w-]{43}$/);
      expect(spec.env).toEqual({
        ...{
          DSTACK_RUN_RESUME_COUNT: '0',
          DSTACK_PROJECT: 'main',
          DSTACK_SERVER_URL: URL,
          DSTACK_TOKEN: token,
        },
      });
      expect([spec.server_access, spec.masked_values]).toEqual([true, [token]]);
      expect(await server.store.meta.jobTokens.jobOf(token)).toBe(spec.id);
    });

    it.each([
      [{ DSTACK_TOKEN: 'mine' }, {}, { DSTACK_TOKEN: 'mine', DSTACK_SERVER_URL: URL }],
      [{}, { DSTACK_TOKEN: 'the fleet’s' }, { DSTACK_TOKEN: 'the fleet’s' }],
      [{ DSTACK_PROJECT: 'other' }, {}, { DSTACK_PROJECT: 'other' }],
    ])('leaves what %j and the fleet’s %j say', async (env, fleetEnv, expected) => {
      const spec = await startedSpec({ dstack: true, env }, {}, fleetEnv);
      expect(spec.env).toMatchObject(expected);
    });

    it('sends the token to no server that the user has named', async () => {
      const env = { DSTACK_SERVER_URL: 'https://other.example' };
      const spec = await startedSpec({ dstack: true, env });
      expect(spec.env).toEqual({ ...env, DSTACK_PROJECT: 'main', DSTACK_RUN_RESUME_COUNT: '0' });
    });

    it('is refused if the host’s agent cannot give the job such access', async () => {
      features = undefined;
      await expect(startedSpec({ dstack: true })).rejects.toThrow(/needs a newer agent/);
      expect((await startedSpec({})).server_access).toBe(false);
    });
  });

  it('is refused if a volume would be missing', async () => {
    const mounted = startedSpec({}, {}, {}, [{ name: 'data', path: '/data' }]);
    await expect(mounted).rejects.toThrow('volume data cannot be mounted there');
  });

  it('is refused if the job names a secret that the project does not have', async () => {
    const started = startedSpec({ env: { A: '${{ secrets.nosuch }}' } });
    await expect(started).rejects.toThrow(JobSpecError);
    await expect(started).rejects.toThrow(/secrets\.nosuch/);
  });

  it('mounts the volumes that placement has chosen, in the order of its mounts', async () => {
    features = ['volumes'];
    const data = JSON.stringify({ hostId: 'h', fleetId: 'f', path: '/mnt/nfs', sizeGib: 1 });
    mounted = [
      { name: 'b', backend: 'remote', handle: { id: 'vol', region: '', data }, configuration: {} },
    ];
    const spec = await startedSpec({}, {}, {}, [{ name: ['a', 'b'], path: '/data' }]);
    expect(spec.mounts).toEqual([
      {
        ...{ source: '', target: '/data', read_only: false, optional: false },
        volume: { id: 'vol', path: '/mnt/nfs', device: null },
      },
    ]);
  });

  it('mounts the device of a volume that the provider has attached to the instance', async () => {
    features = ['volumes', 'volume-devices'];
    const handle = { id: 'vol-1', region: 'eu', data: null };
    const aws = { name: 'data', backend: 'aws', handle, configuration: {} };
    const start = () => startedSpec({}, {}, {}, [{ name: 'data', path: '/data' }]);
    attachments = [
      { instanceId: 'another', attachmentData: { device_name: '/dev/sdz' } },
      { instanceId, attachmentData: { device_name: '/dev/sdf' } },
    ];
    mounted = [{ ...aws, id: 'v', external: false }];
    const made = await start();
    expect(made.mounts[0]?.volume).toEqual({
      ...{ id: 'v', path: null, device: { path: '/dev/sdf', format: true } },
    });
    mounted = [{ ...aws, id: 'v', external: true }];
    expect((await start()).mounts[0]?.volume?.device).toEqual({ path: '/dev/sdf', format: false });
    attachments = [];
    await expect(start()).rejects.toThrow('volume data is not attached to the instance');
  });

  it('is refused without its volume, and by an agent without volumes', async () => {
    const start = () => startedSpec({}, {}, {}, [{ name: 'data', path: '/data' }]);
    features = ['volumes'];
    mounted = [];
    await expect(start()).rejects.toThrow('volume data cannot be mounted there');
    mounted = [{ name: 'data', backend: 'remote', handle: null, configuration: {} }];
    await expect(start()).rejects.toThrow(JobSpecError);
    const handle = { id: 'vol', region: '', data: null };
    mounted = [{ name: 'data', backend: 'aws', handle, configuration: {} }];
    attachments = [{ instanceId, attachmentData: { device_name: '/dev/sdf' } }];
    await expect(start()).rejects.toThrow('volumes need a newer agent on the host');
    features = [];
    await expect(start()).rejects.toThrow('volumes need a newer agent on the host');
  });
});
