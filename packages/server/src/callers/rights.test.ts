import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../http/testing/test-server.ts';

let server: TestServer;
const tokens: Record<string, string> = {};

beforeAll(async () => {
  server = await startTestServer();
  for (const name of ['ann', 'bob', 'eve']) {
    await server.call('/api/users/create', { username: name, global_role: 'user' });
    const answer = await server.call('/api/users/get_user', { username: name });
    tokens[name] = answer.body.creds.token;
  }
  const members = [
    { username: 'ann', project_role: 'user' },
    { username: 'bob', project_role: 'manager' },
  ];
  await server.call('/api/projects/main/add_members', { members });
  for (const scope of ['read', 'user']) {
    const body = { name: `ci-${scope}`, scope, expires_in: 60 };
    const made = await server.call('/api/project/main/service_tokens/create', body);
    tokens[scope] = made.body.token;
  }
});
afterAll(() => server.close());

async function refusal(as: string, path: string, body?: unknown): Promise<string> {
  const answer = await server.call(path, body, { token: tokens[as] ?? '' });
  expect(answer.status).toBe(403);
  return answer.body.detail.msg;
}

describe('a refusal names the missing right and who can grant it', () => {
  it.each([
    [
      'a member without the role',
      ['ann', '/api/project/main/secrets/list'],
      'this needs the role manager in project main, and yours is user; an admin of the project can change that: admin',
    ],
    [
      'a user who is no member',
      ['eve', '/api/project/main/runs/get', { run_name: 'x' }],
      'you are not a member of project main; its admins and managers can add you',
    ],
    [
      'a user who is no global admin',
      ['bob', '/api/users/create', { username: 'x', global_role: 'user' }],
      'this needs the global role admin, and yours is user; a global admin of the server can change that',
    ],
    [
      'a token that may only read',
      ['read', '/api/project/main/runs/stop', { runs_names: ['x'], abort: false }],
      'the service token ci-read may only read (scope read); an admin of the project can create one with the scope user or higher (dstack token create)',
    ],
    [
      'a token of a lower scope',
      ['user', '/api/project/main/secrets/list'],
      'this needs the role manager in project main, and the scope of the service token ci-user is user; an admin of the project can create one with the scope manager (dstack token create)',
    ],
    [
      'a token in another project',
      ['user', '/api/project/elsewhere/runs/get', { run_name: 'x' }],
      'the service token ci-user is valid in project main only; use a token of that project',
    ],
    [
      'a token where none is allowed',
      ['user', '/api/users/get_my_user'],
      "service tokens cannot be used for this; use a user's own token",
    ],
  ] as const)('%s', async (_who, [as, path, body], text) => {
    expect(await refusal(as, path, body)).toBe(`Access denied: ${text}`);
  });

  it('a token whose owner has a lower role', async () => {
    const set = (role: string) =>
      server.call('/api/projects/main/add_members', {
        members: [{ username: 'eve', project_role: role }],
      });
    await set('admin');
    const body = { name: 'of-eve', scope: 'admin' };
    const path = '/api/project/main/service_tokens/create';
    const made = await server.call(path, body, { token: tokens.eve ?? '' });
    tokens.own = made.body.token;
    await set('user');
    expect(await refusal('own', '/api/project/main/secrets/list')).toBe(
      'Access denied: this needs the role manager in project main, and the owner of the service token of-eve is only user; an admin of the project can change that role, or create a token',
    );
  });

  it('a token that has expired', async () => {
    server.advance(61);
    const path = '/api/project/main/fleets/list';
    expect(await refusal('user', path)).toMatch(
      /^Access denied: the service token ci-user expired at 20\d\d-\S+; an admin of the project can create another one \(dstack token create\)$/,
    );
  });
});
