import { type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { reset, StreamWorld } from '../testing/change-streams.ts';

let world: StreamWorld;
beforeEach(async () => {
  world = await StreamWorld.start();
});
afterEach(() => world.stop());

describe('a stream that is opened again', () => {
  it('continues after the last message', async () => {
    const first = await world.ready();
    await world.secret('one');
    await first.change('event');
    first.close();
    await world.secret('two');
    const again = world.open(world.server.token, first.lastId);
    expect(await again.next()).toMatchObject({ event: 'ready', data: { resumed: true } });
    expect(await again.change('project')).toMatchObject({ data: { part: 'secrets' } });
    await world.submit('train');
    expect(await again.change('run')).toMatchObject({ project: 'main' });
  });

  it.each(['test-99', 'other-0', 'test-', 'nonsense', '-'])('begins again after %j', async (id) => {
    const stream = world.open(world.server.token, id);
    expect(await stream.next()).toMatchObject(reset('gap'));
    await world.secret('one');
    expect(await stream.change('project')).toMatchObject({ data: { part: 'secrets' } });
  });

  it('begins again if the messages are no longer kept', async () => {
    await world.stop();
    world = await StreamWorld.start({ messages: 2, characters: 1_000_000 });
    const first = await world.ready();
    const other = await world.ready();
    first.close();
    for (const name of ['one', 'two', 'three']) {
      await world.secret(name);
      await other.change('event');
    }
    const again = world.open(world.server.token, first.lastId);
    expect(await again.next()).toMatchObject(reset('gap'));
  });

  it('begins again when changes of other servers may be lost', async () => {
    const stream = await world.ready();
    world.hub.ring.skip();
    await world.secret('one');
    expect(await stream.next()).toMatchObject(reset('gap'));
  });
});

describe('revoked access', () => {
  it.each([
    [
      'the token is replaced',
      (username: string) => world.api('/api/users/refresh_token', { username }),
    ],
    [
      'the user is deleted',
      (username: string) => world.api('/api/users/delete', { users: [username] }),
    ],
  ])('ends the stream when %s', async (_what, revoke) => {
    const stream = await world.ready(await world.user('ann', 'main'));
    await revoke('ann');
    for (;;) if ((await stream.next()) === null) break;
    expect(world.server.access.watched).toBe(0);
  });

  it('to a project leaves the others', async () => {
    await world.api('/api/projects/create', { project_name: 'other' });
    const token = await world.user('ann', 'main');
    const members = [{ username: 'ann', project_role: 'user' }];
    await world.api('/api/projects/other/add_members', { members });
    const stream = await world.ready(token);
    await world.api('/api/projects/other/remove_members', { usernames: ['ann'] });
    expect(await stream.next()).toMatchObject(reset('access'));
    await world.secret('hidden', 'other');
    await world.submit('shown');
    expect(await stream.change('run')).toMatchObject({ project: 'main' });
  });

  it('sends nothing while access is checked', async () => {
    await world.api('/api/projects/create', { project_name: 'other' });
    const token = await world.user('ann', 'main');
    const stream = await world.ready(token);
    const { idsOfMember } = world.server.store.projects;
    const checked = Promise.withResolvers<void>();
    vi.spyOn(world.server.store.projects, 'idsOfMember').mockImplementationOnce(async (id) => {
      await checked.promise;
      return await idsOfMember(id);
    });
    await world.api('/api/projects/main/remove_members', { usernames: ['ann'] });
    await world.submit('hidden');
    checked.resolve();
    await world.secret('hidden');
    expect(await stream.next()).toMatchObject(reset('access'));
    await world.user('bob');
    stream.close();
  });

  it('is granted to a new project at once', async () => {
    const token = await world.user('ann', 'main');
    const stream = await world.ready(token);
    await world.api('/api/projects/create', { project_name: 'mine' }, token);
    expect(await stream.next()).toMatchObject(reset('access'));
    await world.secret('shown', 'mine');
    expect(await stream.change('project')).toMatchObject({ project: 'mine' });
  });
});

describe('a slow reader', () => {
  const audience = { projectIds: [], userIds: [], sharedId: null };

  /** Resolves when the streams have sent what they can. */
  async function wake(): Promise<void> {
    const before = world.hub.ring.next;
    await world.secret('wake', 'main');
    await world.api('/api/project/main/secrets/delete', { secrets_names: ['wake'] });
    await vi.waitFor(() => expect(world.hub.ring.next).toBeGreaterThan(before), { interval: 5 });
  }

  /** Reads nothing after the head of the answer. */
  async function stuck(): Promise<IncomingMessage> {
    const headers = { authorization: `Bearer ${world.server.token}` };
    const response = await new Promise<IncomingMessage>((resolve) => {
      request(`${world.url}/api/stream`, { headers }, resolve).end();
    });
    response.pause();
    return response;
  }

  it('costs no more memory than the messages that all share, and then is reset', async () => {
    await world.stop();
    world = await StreamWorld.start({ messages: 50, characters: 10_000_000 });
    const sockets: Socket[] = [];
    world.server.app.server.on('connection', (socket: Socket) => sockets.push(socket));
    const response = await stuck();
    const data = JSON.stringify({ filler: 'x'.repeat(60_000) });
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 20; i++) world.hub.ring.push({ type: 'event', audience, data });
      await wake();
    }
    expect(sockets).toHaveLength(1);
    expect(sockets[0]?.writableLength).toBeLessThan(1_000_000);
    let text = '';
    response.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    response.resume();
    await vi.waitFor(() => expect(text).toContain('event: reset\ndata: {"reason":"gap"}'));
    response.destroy();
  });

  it('is disconnected when it reads nothing for long', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const response = await stuck();
      const closed = new Promise((resolve) => response.once('close', resolve));
      const data = JSON.stringify({ filler: 'x'.repeat(1_000_000) });
      for (let i = 0; i < 8; i++) world.hub.ring.push({ type: 'event', audience, data });
      await wake();
      vi.advanceTimersByTime(46_000);
      response.resume();
      await closed;
      expect(world.hub.listeners).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});
