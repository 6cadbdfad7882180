import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProxiedServices } from '../testing/proxied-services.ts';

let proxy: ProxiedServices;
beforeAll(async () => {
  proxy = await ProxiedServices.start();
});
afterAll(() => proxy.close());

async function member(username: string) {
  const { server } = proxy;
  await server.call('/api/users/create', { username, global_role: 'user' });
  const members = [{ username, project_role: 'user' }];
  await server.call('/api/projects/main/add_members', { members });
  const { body } = await server.call('/api/users/get_user', { username });
  return { authorization: `Bearer ${body.creds.token}` };
}

const refresh = (username: string) => proxy.server.call('/api/users/refresh_token', { username });

describe('a member whose token is revoked', () => {
  it('can open no service any more, from the next request on', async () => {
    const headers = await member('quick');
    for (let i = 0; i < 3; i++) expect((await proxy.get('web/x', { headers })).status).toBe(200);
    await refresh('quick');
    expect((await proxy.get('web/x', { headers })).status).toBe(403);
  });

  it('loses pending answers, and the app loses the connection', async () => {
    const headers = await member('streams');
    proxy.signals.next = Promise.withResolvers();
    const events = await proxy.get('web/events', { headers });
    proxy.signals.unanswered = { arrived: Promise.withResolvers(), left: Promise.withResolvers() };
    const silent = expect(proxy.get('web/silent', { headers })).rejects.toThrow();
    await proxy.signals.unanswered.arrived.promise;
    const others = await proxy.get('web/events');
    await refresh('streams');
    await expect(events.text()).rejects.toThrow();
    await silent;
    await proxy.signals.unanswered.left.promise;
    proxy.signals.next.resolve();
    expect(await others.text()).toBe('data: 0\n\ndata: 1\n\ndata: 2\n\n');
  });

  it('loses open WebSockets', async () => {
    const headers = await member('sockets');
    const socket = proxy.socket('main/web/ws', headers);
    await once(socket, 'message');
    // It may be closed before the removal is answered.
    const closed = once(socket, 'close');
    await proxy.server.call('/api/projects/main/remove_members', { usernames: ['sockets'] });
    const [code] = await closed;
    expect(code).toBe(1008);
  });

  it('loses the stream of a model', async () => {
    await proxy.service('chat', { model: 'parrot', probes: [] });
    const headers = { ...(await member('chats')), 'content-type': 'application/json' };
    proxy.signals.next = Promise.withResolvers();
    const body = JSON.stringify({ model: 'parrot', messages: [], stream: true });
    const url = `${proxy.url}/proxy/models/main/chat/completions`;
    const answer = await fetch(url, { method: 'POST', headers, body });
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader?.read())?.value).toBe('data: 0\n\n');
    await refresh('chats');
    await expect(reader?.read()).rejects.toThrow();
    proxy.signals.next.resolve();
  });

  it('stops waiting for a replica', async () => {
    const scaling = { metric: 'rps', target: 1 };
    await proxy.service('asleep', { replicas: '0..2', scaling }, []);
    const headers = await member('waits');
    const waiting = expect(proxy.get('asleep/x', { headers })).rejects.toThrow();
    while (proxy.server.access.watched === 0) await new Promise((done) => setImmediate(done));
    await proxy.server.call('/api/users/delete', { users: ['waits'] });
    await waiting;
  });
});

it('nothing that a token has opened survives it, whenever it was opened', async () => {
  for (let round = 0; round < 4; round++) {
    const username = `storm-${round}`;
    const headers = await member(username);
    proxy.signals.next = Promise.withResolvers();
    const open = async () => {
      const answer = await proxy.get('web/events', { headers });
      if (answer.status === 403) return 'refused';
      // The app does not end it.
      return await answer.text().then(
        () => 'ended',
        () => 'cut off',
      );
    };
    const opened: Promise<string>[] = [];
    const openSome = async (count: number) => {
      for (let i = 0; i < count; i++) {
        opened.push(open().catch(() => 'cut off'));
        if (i % 3 === round % 3) await new Promise((done) => setImmediate(done));
      }
    };
    await openSome(5);
    await Promise.all([openSome(20), refresh(username), openSome(20)]);
    const outcomes = new Set(await Promise.all(opened));
    expect([...outcomes].filter((one) => one === 'ended')).toEqual([]);
    expect(await open()).toBe('refused');
    proxy.signals.next.resolve();
  }
});

it('is no longer watched after the answer, once the cached admission has expired', async () => {
  const headers = await member('idle');
  await (await proxy.get('web/x', { headers })).text();
  expect(proxy.server.access.watched).toBeGreaterThan(0);
  await proxy.server.call('/api/projects/main/remove_members', { usernames: ['idle'] });
  expect(proxy.server.access.watched).toBe(0);
});
