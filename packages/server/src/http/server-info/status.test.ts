import { afterAll, beforeAll, expect, it } from 'vitest';
import { PRODUCT_VERSION } from '../../process/version.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

const read = (token?: string) =>
  server.call('/api/server/status', undefined, {
    method: 'GET',
    ...(token === undefined ? {} : { token }),
  });

it('reports the state of the server to its admins', async () => {
  const host = { connected: true, since: 1, facts: null, executor: 'docker', error: null } as const;
  await server.store.hosts.save({ ...host, id: 'one', failed: false });
  await server.store.hosts.save({ ...host, id: 'two', connected: false, failed: true });
  const { status, body } = await read();
  expect(status).toBe(200);
  expect(body).toMatchObject({
    ...{
      version: PRODUCT_VERSION,
      server_version: '0.22.5',
      database: 'sqlite',
      log_store: 'files',
    },
    ...{ loops_are_running: true, hosts: 2, connected_hosts: 1 },
    queues: [{ kind: 'run', waiting: 2, running: 1, delayed: 0 }],
  });
  expect(body.memory_bytes).toBeGreaterThan(1_000_000);
  expect(body).toMatchObject({ open_files: 10, open_files_limit: 100 });
  expect(body.service_engine).toEqual({ name: 'server', problem: null });
});

it('reports no open files where their number or limit is unknown', async () => {
  const files = { admitWork: () => {}, open: 0, limit: Infinity };
  const other = await startTestServer({}, { files });
  const { status, body } = await other.call('/api/server/status', undefined, { method: 'GET' });
  await other.close();
  expect([status, body.open_files, body.open_files_limit]).toEqual([200, undefined, undefined]);
});

it('reports nothing to other users', async () => {
  await server.call('/api/users/create', { username: 'ann', global_role: 'user' });
  const { body } = await server.call('/api/users/get_user', { username: 'ann' });
  expect((await read(body.creds.token)).status).toBe(403);
});
