import { once } from 'node:events';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { endHttp } from '../shutdown.ts';
import { EXEC, LIMITS, PORT, SocketWorld } from '../testing/job-sockets.ts';

let world: SocketWorld;
beforeEach(async () => {
  world = await SocketWorld.start();
});
afterEach(() => world.stop());

describe('access to a job', () => {
  it('is for managers and for the user who submitted the run', async () => {
    expect(await world.open(EXEC, await world.user('boss', 'manager')).opened).toBe(101);
    expect(await world.open(EXEC, await world.user('chief', 'admin')).opened).toBe(101);
    const token = await world.user('other', 'user');
    expect(await world.open(EXEC, token).opened).toBe(403);
    expect(await world.open(EXEC, await world.user('stranger', null)).opened).toBe(403);
    const run = await world.server.store.runs.byName(
      (await world.server.store.projects.byName('main'))?.id ?? '',
      'app',
    );
    const other = await world.server.store.users.byName('other');
    vi.spyOn(world.server.store.runs, 'byName').mockImplementation(async () =>
      run ? { ...run, run: { ...run.run, userId: other?.id ?? '' } } : null,
    );
    expect(await world.open(EXEC, token).opened).toBe(101);
  });

  it('is for programs with that scope', async () => {
    expect(await world.open(EXEC, await world.program('read')).opened).toBe(403);
    expect(await world.open(EXEC, await world.program('user')).opened).toBe(101);
    expect(await world.open(EXEC, await world.program('manager')).opened).toBe(101);
  });

  it.each([
    [EXEC, {}, 401],
    [EXEC, { authorization: 'Bearer wrong' }, 403],
    ['/api/project/main/runs/none/exec', null, 404],
    ['/api/project/none/runs/app/exec', null, 404],
    ['/api/project/%ff/runs/app/exec', null, 0],
  ])('at %s with %j is refused with %i', async (path, headers, status) => {
    const run = world.connect(path, headers ?? world.bearer());
    if (status === 0) expect(await run.closed).toBe(1006);
    else expect(await run.opened).toBe(status);
    expect(world.server.access.watched).toBe(0);
  });

  it('does not lead to runs of other projects', async () => {
    await world.api('/api/projects/create', { project_name: 'other' });
    expect(await world.open('/api/project/other/runs/app/exec').opened).toBe(404);
  });

  it.each([
    ['the token is replaced', () => world.api('/api/users/refresh_token', { username: 'boss' })],
    [
      'the member is removed',
      () => world.api('/api/projects/main/remove_members', { usernames: ['boss'] }),
    ],
    [
      'the role is lowered',
      () =>
        world.api('/api/projects/main/add_members', {
          members: [{ username: 'boss', project_role: 'user' }],
        }),
    ],
  ])('ends at once when %s', async (_what, revoke) => {
    const token = await world.user('boss', 'manager');
    const [run, port] = [world.open(EXEC, token), world.open(PORT, token)];
    await Promise.all([run.opened, port.opened]);
    const command = await world.agentSide();
    const gone = once(command, 'close');
    await revoke();
    expect(await Promise.all([run.closed, port.closed])).toEqual([1008, 1008]);
    await gone;
    expect(run.texts).toMatchObject([{ type: 'error', code: 'revoked' }]);
    expect(world.server.access.watched).toBe(0);
  });

  it('is limited in number', async () => {
    const many = [world.open(), world.open(PORT), world.open()];
    for (const one of many) expect(await one.opened).toBe(101);
    expect(await world.open().opened).toBe(429);
    many[0]?.socket.terminate();
    await vi.waitFor(async () => expect(await world.open().opened).toBe(101));
    const token = await world.user('boss', 'manager');
    expect(await world.open(EXEC, token).opened).toBe(101);
    expect(await world.open(EXEC, token).opened).toBe(101);
    expect(await world.open(EXEC, token).opened).toBe(429);
  });

  it('ends when it is not used', async () => {
    await world.stop();
    world = await SocketWorld.start({ ...LIMITS, idleMs: { exec: 40, port: 40 }, checkMs: 20 });
    const [run, port] = [world.open(), world.open(PORT)];
    expect(await Promise.all([run.closed, port.closed])).toEqual([4408, 4408]);
  });

  /** `delayMs`: other servers take over in that time. */
  const end = (delayMs: number, limitMs: number) =>
    endHttp({
      ...{ server: world.server.app.server, shutdown: world.server.deps.shutdown },
      ...{ giveUp: () => {}, delayMs, limitMs, log: pino({ level: 'silent' }) },
    });

  it('ends when the server shuts down', async () => {
    const run = world.open();
    await run.opened;
    await world.agentSide();
    const ended = end(0, 60_000);
    expect(await run.closed).toBe(1001);
    await ended;
  });

  it('is not opened by a server that ends', async () => {
    world.server.deps.shutdown.end(() => {});
    expect(await world.open().opened).toBe(503);
  });

  it('has the time of requests to end if other servers take over', async () => {
    const run = world.open();
    await run.opened;
    await world.agentSide();
    const { signal, sessions } = world.server.deps.shutdown;
    const ended = end(1, 200);
    await once(signal, 'abort');
    expect(sessions.aborted).toBe(false);
    expect(await run.closed).toBe(1001);
    await ended;
  });
});

describe('a browser', () => {
  async function session() {
    const opened = await world.server.call(
      '/api/session',
      {},
      { headers: { origin: `http://${world.address}`, host: world.address } },
    );
    expect(opened.status).toBe(200);
    return {
      key: opened.body.key as string,
      cookie: String(opened.headers['set-cookie']).split(';')[0] ?? '',
    };
  }

  it('uses its session from a page of this server', async () => {
    const { key, cookie } = await session();
    const headers = { cookie, origin: `http://${world.address}` };
    const run = world.connect(EXEC, headers, ['dstack.v1', `dstack.key.${key}`]);
    expect(await run.opened).toBe(101);
    expect(run.socket.protocol).toBe('dstack.v1');
    await world.server.call('/api/session', undefined, {
      ...{ method: 'DELETE', token: null },
      headers: { ...headers, host: world.address, 'x-dstack-session': key },
    });
    expect(await run.closed).toBe(1008);
  });

  it.each([
    ['of another origin', { origin: 'http://evil.example' }, 403],
    ['of another port', { origin: 'http://127.0.0.1:1' }, 403],
    ['of a sandboxed page', { origin: 'null' }, 403],
    ['without an origin', {}, 403],
  ])('%s is refused', async (_which, origin, status) => {
    const { key, cookie } = await session();
    const run = world.connect(EXEC, { cookie, ...origin }, ['dstack.v1', `dstack.key.${key}`]);
    expect(await run.opened).toBe(status);
  });

  it('without the key of its session is refused', async () => {
    const { cookie } = await session();
    const run = world.connect(EXEC, { cookie, origin: `http://${world.address}` }, ['dstack.v1']);
    expect(await run.opened).toBe(401);
  });
});
