/** Which archives a run may use. */
import { hash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
let alice: string;
beforeAll(async () => {
  server = await startTestServer();
  await server.call('/api/users/create', { username: 'alice', global_role: 'user' });
  alice = (await server.call('/api/users/get_user', { username: 'alice' })).body.creds.token;
  const members = [{ username: 'alice', project_role: 'admin' }];
  await server.call('/api/projects/main/add_members', { members });
});
afterAll(() => server.close());

async function upload(content: string, token = server.token): Promise<string> {
  const head = `Content-Disposition: form-data; name="file"; filename="${hash('sha256', content)}"`;
  const raw = `--b\r\n${head}\r\n\r\n${content}\r\n--b--\r\n`;
  const headers = { 'content-type': 'multipart/form-data; boundary=b' };
  const answer = await server.call('/api/files/upload_archive', undefined, { raw, headers, token });
  return answer.body.id;
}

const service = (name: string, archive: string, more: object = {}) => ({
  run_name: name,
  configuration: { type: 'service', port: 80, commands: ['serve'], image: 'x', ...more },
  profile: { name: 'default' },
  ssh_key_pub: 'ssh-ed25519 AAAA both',
  file_archives: [{ id: archive, path: '/x' }],
});

const apply = (run_spec: object, token = server.token, force = false) =>
  server.call('/api/project/main/runs/apply', { plan: { run_spec }, force }, { token });

describe('an archive', () => {
  it('is used by the user who uploaded it, in every project', async () => {
    const own = await upload('own', alice);
    expect((await apply(service('own', own), alice)).status).toBe(200);
    await server.call('/api/projects/create', { project_name: 'hers' }, { token: alice });
    const plan = { plan: { run_spec: service('again', own) }, force: false };
    const other = await server.call('/api/project/hers/runs/apply', plan, { token: alice });
    expect(other.status).toBe(200);
  });

  it('of another user does not exist for others', async () => {
    const mine = await upload('mine');
    const answer = await apply(service('stolen', mine), alice);
    expect([answer.status, answer.body.detail]).toEqual([
      400,
      [{ msg: `Archives not found: ${mine}`, code: 'resource_not_exists' }],
    ]);
    const hers = await upload('hers', alice);
    expect((await apply(service('taken', hers))).status).toBe(400);
  });

  it('with the same content is a separate one for each user', async () => {
    expect(await upload('same', alice)).not.toBe(await upload('same'));
    expect(await upload('same')).toBe(await upload('same'));
  });

  it('stays with a run that another user updates without uploading any', async () => {
    const mine = await upload('kept');
    await apply(service('kept', mine));
    const changed = service('kept', mine, { env: { A: 'b' } });
    expect((await apply(changed, alice, true)).status).toBe(200);
    const other = await upload('not hers');
    expect((await apply(service('kept', other), alice, true)).status).toBe(400);
    const hers = await upload('hers now', alice);
    expect((await apply(service('kept', hers), alice, true)).status).toBe(200);
  });
});
