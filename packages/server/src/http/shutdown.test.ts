import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RunChanges } from '../loops/run-changes.ts';
import { endHttp } from './shutdown.ts';
import { streamRoutes } from './streams/routes.ts';
import { ProxiedServices } from './testing/proxied-services.ts';
import { submitService } from './testing/services.ts';

/** Longer than any of these tests. */
const NEVER = 60_000;

let proxy: ProxiedServices;
let agent: Agent;

beforeEach(async () => {
  proxy = await ProxiedServices.start({}, (server) =>
    streamRoutes(server.app, { ...server.deps, logStore: server.logs, changes: new RunChanges() }),
  );
  agent = new Agent({ keepAlive: true, maxSockets: 1 });
});
afterEach(async () => {
  agent.destroy();
  await proxy.close();
});

const end = (limitMs = NEVER, delayMs = 0) => {
  const { app, services, deps } = proxy.server;
  return endHttp({
    ...{ server: app.server, shutdown: deps.shutdown, giveUp: () => services.giveUp() },
    ...{ delayMs, limitMs, log: pino({ level: 'silent' }) },
  });
};

/** On the one connection that is kept alive. */
async function ask(path: string): Promise<IncomingMessage> {
  const headers = { authorization: `Bearer ${proxy.server.token}` };
  const [response] = await once(get(`${proxy.url}${path}`, { agent, headers }), 'response');
  return response as IncomingMessage;
}

const isRefused = async () => {
  const { port } = new URL(proxy.url);
  const socket = connect(Number(port), '127.0.0.1');
  const [error] = await once(socket, 'error');
  return error.code === 'ECONNREFUSED';
};

describe('a server that is shut down', () => {
  it('ends at once without pending requests, and closes idle connections', async () => {
    await text(await ask('/healthcheck'));
    const [socket] = Object.values(agent.freeSockets).flatMap((sockets) => sockets ?? []);
    const closed = once(socket ?? agent, 'close');
    await end();
    await closed;
    expect(await isRefused()).toBe(true);
  });

  it('accepts no new connections, and completes pending requests', async () => {
    proxy.signals.next = Promise.withResolvers();
    const events = await ask('/proxy/services/main/web/events');
    const ended = end();
    expect(await isRefused()).toBe(true);
    proxy.signals.next.resolve();
    expect(await text(events)).toBe('data: 0\n\ndata: 1\n\ndata: 2\n\n');
    await ended;
  });

  it('answers 503 on open connections, health checks included', async () => {
    proxy.signals.next = Promise.withResolvers();
    const { port } = new URL(proxy.url);
    const socket = connect(Number(port), '127.0.0.1').setEncoding('utf8');
    const head = (path: string) =>
      `GET ${path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${proxy.server.token}\r\n\r\n`;
    socket.write(head('/proxy/services/main/web/events'));
    let answers = '';
    socket.on('data', (part: string) => {
      answers += part;
    });
    while (!answers.includes('data: 0')) await once(socket, 'data');
    const ended = end();
    // Sent before the first answer is complete, so that the connection is not idle.
    socket.write(head('/healthcheck'));
    proxy.signals.next.resolve();
    await once(socket, 'close');
    expect(answers).toMatch(/data: 2[\s\S]+HTTP\/1\.1 503 [\s\S]+"shutting down"/);
    expect(answers).toMatch(/HTTP\/1\.1 503 [\s\S]+connection: close/i);
    await ended;
  });

  it.each([
    ['/healthcheck', { status: 'shutting down' }],
    ['/readyz', { status: 'shutting down' }],
  ])('answers %s by 503 while it still serves requests', async (path, body) => {
    proxy.server.deps.shutdown.announce();
    const answer = await fetch(`${proxy.url}${path}`);
    expect([answer.status, await answer.json()]).toEqual([503, body]);
    expect((await proxy.get('web/x')).status).toBe(200);
  });

  it('closes connections after their answers while it still serves requests', async () => {
    proxy.server.deps.shutdown.announce();
    expect((await fetch(`${proxy.url}/healthcheck`)).headers.get('connection')).toBe('close');
    expect((await proxy.get('web/x')).headers.get('connection')).toBe('close');
  });

  it.each([
    ['/api/users/get_my_user', 'POST', /shutting down/],
    ['/proxy/services/main/web/x', 'GET', /shutting down/],
    ['/proxy/models/main/models', 'GET', /"error":{.*shutting down/],
  ])('refuses %s with a time to retry', async (path, method, body) => {
    proxy.server.deps.shutdown.end(() => {});
    const headers = { authorization: `Bearer ${proxy.server.token}` };
    const answer = await fetch(`${proxy.url}${path}`, { method, headers });
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(answer.headers.get('connection')).toBe('close');
    expect(await answer.text()).toMatch(body);
  });

  it('refuses WebSockets', async () => {
    proxy.server.deps.shutdown.end(() => {});
    const socket = proxy.socket('main/web/ws');
    const [, response] = await once(socket, 'unexpected-response');
    expect(response.statusCode).toBe(503);
    socket.on('error', () => {});
    socket.terminate();
  });

  it('ends its streams at once, without an error', async () => {
    const stream = await ask('/api/project/main/events/stream');
    await end();
    expect(await text(stream)).toBe('');
  });

  it('closes connections after their answers, also those with keep-alive', async () => {
    proxy.signals.next = Promise.withResolvers();
    const events = await ask('/proxy/services/main/web/events');
    const { socket } = events;
    const closed = once(socket, 'close');
    const ended = end();
    proxy.signals.next.resolve();
    await text(events);
    await closed;
    await ended;
  });

  it('cuts off requests that do not end in time', async () => {
    proxy.signals.next = Promise.withResolvers();
    const events = await ask('/proxy/services/main/web/events');
    await end(1);
    await proxy.server.services.close();
    await proxy.server.app.close();
    await expect(text(events)).rejects.toThrow();
  });

  it('closes WebSockets with "going away" after its time', async () => {
    const socket = proxy.socket('main/web/ws');
    await once(socket, 'message');
    const closed = once(socket, 'close');
    await end(1);
    expect((await closed)[0]).toBe(1001);
  });

  it('keeps WebSockets open until then', async () => {
    const socket = proxy.socket('main/web/ws');
    await once(socket, 'message');
    const ended = end();
    socket.send('still there');
    const [echo] = await once(socket, 'message');
    expect(String(echo)).toBe('still there');
    socket.close();
    await ended;
  });

  it('refuses requests that wait for a replica after its time', async () => {
    const scaling = { metric: 'rps', target: 1 };
    const { id } = await submitService(proxy.server, 'asleep', { replicas: '0..1', scaling });
    const signalled = Promise.withResolvers<void>();
    proxy.server.store.engine.onSignal((signal) => {
      if (signal.id === id) signalled.resolve();
    });
    const answer = proxy.get('asleep/x');
    await signalled.promise;
    await end(1);
    expect((await answer).status).toBe(503);
  });
});
