import type { ServerConfig } from '@dstack/contract';
import type { Event } from '@dstack/contract/wire';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../http/testing/test-server.ts';
import { applyServerConfig, bootstrap } from './bootstrap.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  const config = { type: 'aws', creds: { type: 'default' } };
  await server.call('/api/project/main/backends/create', config);
});
afterAll(() => server.close());

/** The file as the next start would read it. */
async function restart(project: Partial<ServerConfig['projects'][number]>): Promise<string[]> {
  const admin = await server.store.users.byName('admin');
  if (admin === null) throw new Error('no admin');
  const config: ServerConfig = {
    projects: [{ name: 'main', backends: null, ...project }],
    ...{ encryption: null, default_permissions: null, plugins: null },
  };
  await applyServerConfig({ ...server.deps, adminToken: null }, admin, config);
  const found = await server.store.projects.byName('main');
  return (await server.store.backends.list([found?.id ?? ''])).map((backend) => backend.type);
}

it('backends configured over the API stay if the file has no list of backends', async () => {
  expect(await restart({})).toEqual(['aws']);
});

it('a list of backends in the file is complete: others are removed', async () => {
  const lambda = {
    type: 'lambda',
    regions: null,
    creds: { type: 'api_key', api_key: 'k' },
  } as const;
  expect(await restart({ backends: [lambda] })).toEqual(['lambda']);
  expect(await restart({ backends: [{ ...lambda, regions: ['us-west-1'] }] })).toEqual(['lambda']);
  expect(await restart({ backends: [] })).toEqual([]);
  const { body } = await server.call('/api/events/list', { limit: 100 });
  const found = (body as Event[]).filter(({ action }) => action?.startsWith('backend.'));
  expect(found.map(({ message, actor_user }) => `${message} by ${actor_user}`)).toEqual([
    'Backend lambda deleted by null',
    'Backend lambda updated. Changed fields: regions by null',
    'Backend aws deleted by null',
    'Backend lambda created by null',
    'Backend aws created by admin',
  ]);
});

it('servers that start together on a new database share the admin and the project', async () => {
  const { store } = server;
  // This server looks before the other one has made them.
  const early = <T>(find: (name: string) => Promise<T | null>) => {
    let isFirst = true;
    return async (name: string) => {
      const found = isFirst ? null : await find(name);
      isFirst = false;
      return found;
    };
  };
  const users = { ...store.users, byName: early(store.users.byName) };
  const projects = { ...store.projects, byName: early(store.projects.byName) };
  const deps = { ...server.deps, store: { ...store, users, projects } };
  const second = await bootstrap({ ...deps, adminToken: 'another-token-of-20-letters' });
  expect(second).toMatchObject({
    admin: { id: (await store.users.byName('admin'))?.id },
    adminToken: server.token,
    firstStart: false,
  });
});
