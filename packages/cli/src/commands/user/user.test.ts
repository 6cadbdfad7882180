import { expect, test } from 'vitest';
import { type Route, startFakeServer } from '../../testing/fake-server.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';

const ANN = {
  username: 'ann',
  global_role: 'user',
  email: 'a@x.org',
  active: true,
  created_at: '2026-11-24T15:00:00Z',
};
const MEMBER = { user: ANN, project_role: 'user' };

const ROUTES: Record<string, Route> = {
  'POST /api/users/list': { json: [ANN] },
  'POST /api/users/create': { json: { ...ANN, username: 'bob' } },
  'POST /api/users/get_user': { json: { ...ANN, username: 'bob', creds: { token: 'new-token' } } },
  'POST /api/users/refresh_token': { json: { ...ANN, creds: { token: 'fresh-token' } } },
  'POST /api/users/update': { json: ANN },
  'POST /api/users/delete': { json: null },
  'POST /api/projects/main/get': { json: { project_name: 'main', members: [MEMBER] } },
  'POST /api/projects/main/add_members': { json: { members: [MEMBER] } },
  'POST /api/projects/main/remove_members': { json: { members: [] } },
};

async function dstack(argv: readonly string[], input = '') {
  const fake = await startFakeServer(ROUTES);
  const result = await runCommand(argv, { env: serverEnv(fake.url), input });
  const last = fake.requests.at(-1);
  return { ...result, sent: [last?.path, last?.body], calls: fake.calls };
}

test('users are listed without a project', async () => {
  const fake = await startFakeServer(ROUTES);
  const env = { DSTACK_SERVER_URL: fake.url, DSTACK_TOKEN: 'token' };
  const { code, out } = await runCommand(['user', 'list'], { env });
  expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining('ann') });
});

test('a new user’s token is printed once, alone on stdout', async () => {
  const { out, err, calls } = await dstack(['user', 'add', 'bob', '--email', 'b@x.org']);
  expect(out).toBe('new-token\n');
  expect(err).toContain('dstack project member add bob');
  expect(err).not.toContain('new-token');
  expect(calls).toEqual(['POST /api/users/create', 'POST /api/users/get_user']);
});

test('a token is replaced after a question', async () => {
  expect((await dstack(['user', 'rotate', 'ann'], 'n\n')).out).toBe('');
  expect((await dstack(['user', 'rotate', 'ann', '-y'])).out).toBe('fresh-token\n');
});

test.each<[string[], string, object]>([
  [
    ['user', 'role', 'ann', 'admin'],
    '/api/users/update',
    { username: 'ann', global_role: 'admin', email: 'a@x.org', active: true },
  ],
  [['user', 'remove', 'ann', '-y'], '/api/users/delete', { users: ['ann'] }],
  [
    ['project', 'member', 'add', 'bob', '--role', 'manager'],
    '/api/projects/main/add_members',
    { members: [{ username: 'bob', project_role: 'manager' }] },
  ],
  [
    ['project', 'member', 'role', 'ann', 'admin'],
    '/api/projects/main/add_members',
    { members: [{ username: 'ann', project_role: 'admin' }] },
  ],
  [
    ['project', 'member', 'remove', 'ann', '-y'],
    '/api/projects/main/remove_members',
    { usernames: ['ann'] },
  ],
])('dstack %j changes the server', async (argv, path, body) => {
  const { code, sent } = await dstack(argv);
  expect([code, sent]).toEqual([0, [path, body]]);
});

test.each([
  [['user', 'remove', 'anna', '-y'], 3, 'did you mean ann?'],
  [['user', 'role', 'ann', 'manager'], 2, 'global roles: user, admin'],
  [['project', 'member', 'add', 'ann'], 1, 'dstack project member role ann user'],
  [['project', 'member', 'role', 'bob', 'user'], 3, 'dstack project member add bob'],
  [['project', 'member', 'role', 'ann', 'king'], 2, 'user, manager, admin'],
])('dstack %j is refused and changes nothing', async (argv, expected, message) => {
  const { code, err, calls } = await dstack(argv);
  expect(code).toBe(expected);
  expect(err).toContain(message);
  expect(calls.filter((call) => /update|delete|add_|remove_/.test(call))).toEqual([]);
});

test('members and users are listed', async () => {
  expect((await dstack(['user'])).out).toMatch(/ NAME +ROLE +EMAIL +ACTIVE +CREATED\n ann +user/);
  expect((await dstack(['project', 'member', '-o', 'name'])).out).toBe('ann\n');
  const { out } = await dstack(['project', 'member', 'list', '--json']);
  expect(JSON.parse(out)).toEqual({ project: 'main', members: [MEMBER] });
});
