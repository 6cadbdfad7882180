/**
 * Permissions of each endpoint: the endpoint table, and the results of dstack 0.22.5 for eight
 * callers.
 */
import { readFileSync } from 'node:fs';
import { type EndpointName, endpointList } from '@dstack/contract/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from './testing/test-server.ts';

interface Line {
  readonly method: string;
  readonly path: string;
  readonly request: unknown;
  readonly answers: Readonly<Record<string, { status: number; code?: string }>>;
}

const file = new URL('../../testdata/http/permission-matrix.json', import.meta.url);
const matrix = JSON.parse(readFileSync(file, 'utf8')) as Line[];

let server: TestServer;
const tokens: Record<string, string | null> = { anonymous: null, badtoken: 'nobody-has-this' };

beforeAll(async () => {
  server = await startTestServer({}, { metrics: null });
  const { call } = server;
  const names = { permuser: 'user', permmanager: 'manager', permadmin: 'project_admin' };
  for (const username of [...Object.keys(names), 'permstranger']) {
    await call('/api/users/create', { username, global_role: 'user' });
  }
  await call('/api/projects/create', { project_name: 'perm' });
  await call('/api/projects/create', { project_name: 'permpub', is_public: true });
  const roles = { permuser: 'user', permmanager: 'manager', permadmin: 'admin' };
  const members = Object.entries(roles).map(([username, project_role]) => ({
    username,
    project_role,
  }));
  await call('/api/projects/perm/add_members', { members });
  await call('/api/projects/permpub/add_members', { members });
  for (const [username, caller] of Object.entries({ ...names, permstranger: 'stranger' })) {
    const user = await call('/api/users/get_user', { username });
    tokens[caller] = user.body.creds.token;
  }
  tokens.public_stranger = tokens.stranger ?? null;
  tokens.global_admin = server.token;
});
afterAll(() => server.close());

const known = new Set(endpointList.map(([, endpoint]) => endpoint.path));

/** Without the permissions that exist only here. */
function plain(answers: Line['answers']): unknown {
  const text = JSON.stringify(answers, (key, value) => (key === 'decided' ? undefined : value));
  return JSON.parse(text);
}

describe('permission matrix', () => {
  it.each(matrix)('$method $path', async ({ method, path, request, answers }) => {
    const seen: Record<string, unknown> = {};
    for (const caller of Object.keys(answers)) {
      const project = caller === 'public_stranger' ? 'permpub' : 'perm';
      const body = method === 'GET' ? undefined : request;
      const url = path.replace('{project_name}', project);
      const answer = await server.call(url, body, { method, token: tokens[caller] ?? null });
      const [first] = Array.isArray(answer.body?.detail) ? answer.body.detail : [];
      const code = first?.code ?? first?.type;
      seen[caller] = { status: answer.status, ...(code ? { code } : {}) };
    }
    expect(seen).toEqual(plain(answers));
  });
});

describe('guards', () => {
  const open = ['public', 'optional', 'service_auth'];
  const guarded = endpointList.filter(([, endpoint]) => !open.includes(endpoint.permission));

  it.each(guarded.map(([name]) => name))(
    '%s is closed to callers without a token',
    async (name) => {
      const [, endpoint] = endpointList.find(([other]) => other === (name as EndpointName)) ?? [];
      const path = (endpoint?.path ?? '').replaceAll(/\{\w+\}/g, 'perm');
      const answer = await server.call(path, {}, { method: endpoint?.method, token: null });
      // Endpoints that are not implemented yet are unknown to every caller.
      expect([401, 403, 404, 405]).toContain(answer.status);
      expect(known.size).toBeGreaterThan(0);
    },
  );
});
