import { Event } from '@dstack/contract/wire';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
const tokens: Record<string, string> = {};

const as = (name: string, path: string, body?: unknown) =>
  server.call(path, body, { token: name === 'root' ? server.token : (tokens[name] ?? '') });

/** The events of an action that the caller sees, newest first. */
async function seenBy(name: string, action: string): Promise<Event[]> {
  const { body } = await as(name, '/api/events/list', { limit: 100 });
  return (body as Event[]).filter((event) => event.action === action);
}

beforeAll(async () => {
  server = await startTestServer();
  for (const name of ['ann', 'max', 'bob', 'eve']) {
    await server.call('/api/users/create', { username: name, global_role: 'user' });
    const answer = await server.call('/api/users/get_user', { username: name });
    tokens[name] = answer.body.creds.token;
  }
  const members = [
    { username: 'ann', project_role: 'admin' },
    { username: 'max', project_role: 'manager' },
    { username: 'bob', project_role: 'user' },
  ];
  await server.call('/api/projects/main/add_members', { members });
  for (const scope of ['admin', 'read']) {
    const made = await server.call('/api/project/main/service_tokens/create', {
      ...{ name: `ci-${scope}`, scope },
    });
    tokens[scope] = made.body.token;
  }
});
afterAll(() => server.close());

describe('an event', () => {
  it('has its action, data and outcome beside the text of old clients', async () => {
    const [added] = await seenBy('root', 'project.members_added');
    expect(Event.parse(added)).toEqual(added);
    expect(added).toMatchObject({
      message: 'Project members added',
      outcome: 'done',
      data: {
        members: [
          { username: 'ann', role: 'admin' },
          { username: 'max', role: 'manager' },
          { username: 'bob', role: 'user' },
        ],
        omitted: 0,
      },
    });
  });

  it('of a changed role names the user, the role before and the role after', async () => {
    const changesOf = async (action: string) => (await seenBy('root', action))[0]?.data?.changes;
    const give = (username: string, project_role: string) =>
      as('root', '/api/projects/main/add_members', { members: [{ username, project_role }] });
    await give('eve', 'user');
    expect(await changesOf('project.members_added')).toEqual([
      { username: 'eve', from: null, to: 'user' },
    ]);
    await give('eve', 'manager');
    expect(await changesOf('project.members_added')).toEqual([
      { username: 'eve', from: 'user', to: 'manager' },
    ]);
    await as('root', '/api/projects/main/remove_members', { usernames: ['eve'] });
    expect(await changesOf('project.members_removed')).toEqual([
      { username: 'eve', from: 'manager', to: null },
    ]);
    const members = [
      { username: 'admin', project_role: 'admin' },
      { username: 'ann', project_role: 'admin' },
      { username: 'max', project_role: 'user' },
    ];
    await as('root', '/api/projects/main/set_members', { members });
    expect(await changesOf('project.members_set')).toEqual([
      { username: 'max', from: 'manager', to: 'user' },
      { username: 'bob', from: 'user', to: null },
    ]);
    await give('max', 'manager');
    await give('bob', 'user');
  });

  it('of a secret contains neither its value nor a hint', async () => {
    const put = { name: 'hf', value: 'a-very-secret-value' };
    await as('root', '/api/project/main/secrets/create_or_update', put);
    const { text } = await as('root', '/api/events/list', { limit: 100 });
    expect((await seenBy('root', 'secret.created'))[0]?.data).toEqual({});
    expect(text).not.toContain('a-very-secret-value');
  });

  it('names the changed fields of a project with their values', async () => {
    await as('ann', '/api/projects/main/update', { is_public: true });
    await as('ann', '/api/projects/main/update', { is_public: false });
    const [last] = await seenBy('ann', 'project.updated');
    expect(last).toMatchObject({
      message: 'Project updated. Changed fields: is_public',
      data: {
        fields: ['is_public'],
        changes: [{ field: 'is_public', before: true, after: false }],
      },
    });
  });
});

describe('token and address of an actor', () => {
  beforeAll(async () => {
    const put = { name: 'by-token', value: 'a-secret-value' };
    const answer = await as('admin', '/api/project/main/secrets/create_or_update', put);
    expect(answer.status).toBe(200);
  });

  const newest = async (name: string, action: string) => {
    const [event] = await seenBy(name, action);
    return event === undefined ? null : [event.actor_user, event.actor_token, event.actor_address];
  };

  it.each([
    ['a global admin', 'root', ['admin', 'ci-admin', '127.0.0.1']],
    ['an admin of the project', 'ann', ['admin', 'ci-admin', '127.0.0.1']],
    ['a manager of the project', 'max', ['admin', null, null]],
    ['a member', 'bob', ['admin', null, null]],
    ['a token with the scope admin', 'admin', ['admin', null, null]],
    ['a user who is no member', 'eve', null],
  ])('are shown to %s as far as the role allows', async (_who, name, shown) => {
    expect(await newest(name, 'secret.created')).toEqual(shown);
  });

  it('of an event about a user are shown to global admins only, not to the user', async () => {
    await as('ann', '/api/users/refresh_token', { username: 'ann' });
    const found = await server.call('/api/users/get_user', { username: 'ann' });
    tokens.ann = found.body.creds.token;
    expect(await newest('root', 'user.token_refreshed')).toEqual(['ann', null, '127.0.0.1']);
    expect(await newest('ann', 'user.token_refreshed')).toEqual(['ann', null, null]);
  });
});

describe('a refused change', () => {
  const members = (name: string) => ({ members: [{ username: name, project_role: 'admin' }] });
  const refused = (name: string) => seenBy(name, 'request.refused');

  it('is an event of its project, with the caller and the reason', async () => {
    const { status } = await as('bob', '/api/projects/main/set_members', members('bob'));
    expect(status).toBe(403);
    const [event] = await refused('ann');
    expect(event).toMatchObject({
      outcome: 'refused',
      message:
        'Request projects.set_members refused: this needs the role manager in project main, and yours is user',
      data: { endpoint: 'projects.set_members' },
      ...{ actor_user: 'bob', actor_token: null, actor_address: '127.0.0.1' },
      targets: [{ type: 'project', name: 'main' }],
    });
  });

  it('is one event however often it is repeated', async () => {
    const before = (await refused('root')).length;
    for (let n = 0; n < 5; n++) {
      await as('bob', '/api/projects/main/set_members', members('bob'));
    }
    expect(await refused('root')).toHaveLength(before);
    server.advance(3601);
    await as('bob', '/api/projects/main/set_members', members('bob'));
    expect(await refused('root')).toHaveLength(before + 1);
  });

  it('by a rule of the operation counts too: a manager may not appoint an admin', async () => {
    await as('max', '/api/projects/main/add_members', members('max'));
    expect((await refused('root'))[0]).toMatchObject({
      actor_user: 'max',
      data: {
        endpoint: 'projects.add_members',
        reason: 'managers may not change who is a project admin',
      },
    });
  });

  it('of the whole server has the user as its target', async () => {
    await as('bob', '/api/users/create', { username: 'x', global_role: 'admin' });
    expect((await refused('bob'))[0]).toMatchObject({
      data: { endpoint: 'users.create' },
      targets: [{ type: 'user', name: 'bob' }],
    });
  });

  it('names the token of a program that tried it', async () => {
    await as('read', '/api/project/main/runs/stop', { runs_names: ['x'], abort: false });
    expect((await refused('root'))[0]).toMatchObject({
      actor_user: 'admin',
      actor_token: 'ci-read',
      data: { endpoint: 'runs.stop' },
    });
  });

  it('is bounded: 20 an hour for one user; reads and unknown tokens are not recorded', async () => {
    server.advance(3601);
    const before = (await refused('root')).length;
    for (let n = 0; n < 25; n++) {
      const project = `of-root-${n}`;
      await as('root', '/api/projects/create', { project_name: project });
      await as('eve', `/api/project/${project}/secrets/delete`, { secrets_names: ['x'] });
    }
    await as('bob', '/api/project/main/secrets/list', {});
    await server.call('/api/projects/main/set_members', members('bob'), { token: 'unknown' });
    expect((await refused('root')).length - before).toBe(20);
  });
});
