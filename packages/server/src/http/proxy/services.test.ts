import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { insertInstances, serveAt, submitService } from '../testing/services.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
let url: string;
let instances: string[];
/** Listening apps, with how many requests each has had. */
const apps: { server: Server; port: number; requests: number }[] = [];
/** Released by tests to let `/slow` of the apps go on. */
let next = Promise.withResolvers<void>();
/** When `/silent` was asked for, and when whoever asked for it was gone. */
let silent = { arrived: Promise.withResolvers<void>(), left: Promise.withResolvers<void>() };

/** Connections that were refused so far. */
let refused = 0;

const open = async ({ port }: { port: number }) => {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect').catch((error) => {
    refused += 1;
    throw error;
  });
  return socket;
};

beforeAll(async () => {
  server = await startTestServer({}, {}, open);
  await server.app.listen({ host: '127.0.0.1', port: 0 });
  url = `http://127.0.0.1:${(server.app.server.address() as AddressInfo).port}`;
  instances = await insertInstances(server, 3);
  await startApp('one');
  await startApp('two');
  await service('web');
});
afterAll(async () => {
  await server.close();
  for (const app of apps) {
    app.server.closeAllConnections();
    app.server.close();
  }
});

async function startApp(name: string) {
  const app = { server: createServer(), port: 0, requests: 0 };
  apps.push(app);
  const sockets = new WebSocketServer({ noServer: true });
  app.server.on('upgrade', (incoming, socket, head) => {
    if (incoming.url === '/no-sockets') {
      socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope');
      return;
    }
    sockets.handleUpgrade(incoming, socket, head, (client) => {
      client.send(`${name} ${incoming.url}`);
      client.on('message', (data, isBinary) => client.send(data, { binary: isBinary }));
    });
  });
  app.server.on('request', async (incoming, response) => {
    app.requests += 1;
    const [path] = (incoming.url ?? '').split('?');
    if (path === '/echo') {
      response.setHeader('set-cookie', ['a=1', 'b=2']);
      response.end(
        JSON.stringify({
          ...{ app: name, method: incoming.method, url: incoming.url },
          headers: incoming.rawHeaders,
          body: await text(incoming),
        }),
      );
    } else if (path === '/upload') {
      let length = 0;
      for await (const chunk of incoming) length += chunk.length;
      response.end(String(length));
    } else if (path === '/download') {
      Readable.from(pieces(16)).pipe(response);
    } else if (path === '/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (let n = 0; !response.destroyed && n < 3; n++) {
        response.write(`data: ${n}\n\n`);
        await next.promise;
      }
      response.end();
    } else if (path === '/silent') {
      silent.arrived.resolve();
      response.on('close', () => silent.left.resolve());
    } else if (path === '/refuses') {
      response.writeHead(413).end('too much');
    } else if (path === '/dies') {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half', () => response.destroy());
    } else if (path === '/drops') {
      incoming.socket.destroy();
    } else if (path === '/login') {
      response.writeHead(302, { location: '/echo', server: 'app/1.0' }).end();
    } else response.end(`${name} ${incoming.url}`);
  });
  app.server.listen(0, '127.0.0.1');
  await once(app.server, 'listening');
  app.port = (app.server.address() as AddressInfo).port;
}

function* pieces(count: number) {
  for (let i = 0; i < count; i++) yield Buffer.alloc(1024 * 1024, i);
}

/** A running service at the given apps; ports of nothing stand for replicas that are gone. */
async function service(name: string, more: object = {}, ports?: (number | null)[]) {
  const at = ports ?? apps.map((app) => app.port);
  const { id } = await submitService(server, name, { replicas: at.length, ...more });
  const jobs = await serveAt(server, id, at, instances);
  return { id, jobs };
}

const bearer = () => ({ authorization: `Bearer ${server.token}` });
const get = (path: string, init: RequestInit = {}) =>
  fetch(`${url}/proxy/services/main/${path}`, {
    redirect: 'manual',
    ...init,
    headers: { ...bearer(), ...init.headers },
  });

// biome-ignore lint/suspicious/noExplicitAny: tests look at parts of what the app has seen
const json = async (answer: Response): Promise<any> => await answer.json();

/** Sent as it is: `fetch` would tidy the path up. */
async function raw(path: string, headers: Record<string, string> = {}, method = 'GET') {
  const outgoing = request(`${url}/`, { method, path, headers: { ...bearer(), ...headers } });
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  return { response, body: await text(response) };
}

async function closedPort(): Promise<number> {
  const gone = createServer().listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const { port } = gone.address() as AddressInfo;
  gone.close();
  await once(gone, 'close');
  return port;
}

describe('a service without a gateway', () => {
  it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('takes %s', async (method) => {
    const body = ['GET', 'DELETE', 'OPTIONS'].includes(method) ? undefined : '{"a": 1';
    const init = { method, ...(body && { body, headers: { 'content-type': 'application/x' } }) };
    const seen = await json(await get('web/echo?x=1&y=%2F', init));
    expect(seen).toMatchObject({ method, url: '/echo?x=1&y=%2F', body: body ?? '' });
    const headers = seen.headers.map((part: string) => part.toLowerCase());
    expect(headers).toContain(`bearer ${server.token}`);
    expect(headers).toContain('x-forwarded-prefix');
    if (body) expect(headers).toContain('application/x');
  });

  it('answers HEAD without a body', async () => {
    const answer = await get('web/echo', { method: 'HEAD' });
    expect([answer.status, await answer.text()]).toEqual([200, '']);
  });

  it('gives its answer with its own headers', async () => {
    const answer = await get('web/echo');
    expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect(answer.headers.get('x-request-id')).toBeTruthy();
    const login = await get('web/login');
    expect(login.status).toBe(302);
    expect(login.headers.get('location')).toBe('/proxy/services/main/web/echo');
    expect(login.headers.get('server')).toBeNull();
  });

  it('gets its path as it was written', async () => {
    const path = '/proxy/services/main/web/a%2Fb//c/../100%?q=a?b#c';
    expect((await raw(path)).body).toMatch(/^(one|two) \/a%2Fb\/\/c\/\.\.\/100%\?q=a\?b/);
    const long = `/${'x'.repeat(4000)}`;
    expect((await raw(`/proxy/services/main/web${long}`)).body).toContain(long);
  });

  it('sees the whole path where its prefix is not stripped', async () => {
    await service('whole', { strip_prefix: false });
    expect(await (await get('whole/a?b')).text()).toContain(' /proxy/services/main/whole/a?b');
  });

  it('is led to from its path without a slash', async () => {
    const answer = await get('web?a=/b');
    expect(answer.status).toBe(308);
    expect(answer.headers.get('location')).toBe('/proxy/services/main/web/?a=/b');
    expect((await get('web', { method: 'POST' })).status).toBe(308);
    expect((await get('web', { method: 'OPTIONS' })).status).toBe(405);
  });

  it('shares requests among its replicas', async () => {
    const seen = new Set<string>();
    for (let i = 0; i < 4; i++) seen.add((await (await get('web/x')).text()).slice(0, 3));
    expect([...seen].sort()).toEqual(['one', 'two']);
  });

  it('takes and gives large bodies piece by piece', async () => {
    const body = Readable.toWeb(Readable.from(pieces(8))) as ReadableStream;
    const sent = await get('web/upload', { method: 'POST', body, duplex: 'half' } as RequestInit);
    expect(await sent.text()).toBe(String(8 * 1024 * 1024));
    const got = await (await get('web/download')).arrayBuffer();
    expect(got.byteLength).toBe(16 * 1024 * 1024);
    expect(new Uint8Array(got).at(-1)).toBe(15);
  });

  it('may answer before it has read a body, and the connection lives on', async () => {
    const body = Buffer.alloc(4 * 1024 * 1024);
    const answer = await get('web/refuses', { method: 'POST', body });
    expect([answer.status, await answer.text()]).toEqual([413, 'too much']);
    expect((await get('web/x')).status).toBe(200);
  });

  it('sends events as they happen', async () => {
    next = Promise.withResolvers();
    const reader = (await get('web/events')).body?.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader?.read())?.value).toBe('data: 0\n\n');
    next.resolve();
    let rest = '';
    for (let part = await reader?.read(); !part?.done; part = await reader?.read()) {
      rest += part?.value;
    }
    expect(rest).toBe('data: 1\n\ndata: 2\n\n');
  });

  it('hears when a client has gone', async () => {
    silent = { arrived: Promise.withResolvers(), left: Promise.withResolvers() };
    const gone = new AbortController();
    const answer = get('web/silent', { signal: gone.signal });
    await silent.arrived.promise;
    gone.abort();
    await expect(answer).rejects.toThrow();
    await silent.left.promise;
  });

  it('speaks WebSocket', async () => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/proxy/services/main/web/ws?a=1`, {
      headers: bearer(),
    });
    const [hello] = await once(socket, 'message');
    expect(String(hello)).toMatch(/^(one|two) \/ws\?a=1$/);
    const big = Buffer.alloc(3 * 1024 * 1024, 7);
    socket.send(big);
    const [echo, isBinary] = await once(socket, 'message');
    expect([Buffer.compare(echo, big), isBinary]).toEqual([0, true]);
    socket.close(4000);
    const [code] = await once(socket, 'close');
    expect(code).toBe(4000);
  });

  it.each([
    ['main/web/no-sockets', {}, 404],
    ['main/nosuch/ws', {}, 404],
    ['main/web/ws', { authorization: 'Bearer wrong' }, 403],
  ])('answers a WebSocket for %s with %j by %i', async (path, headers, status) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/proxy/services/${path}`, {
      headers: { ...bearer(), ...headers },
    });
    const [, response] = await once(socket, 'unexpected-response');
    expect(response.statusCode).toBe(status);
    socket.on('error', () => {});
    socket.terminate();
  });

  it('takes no other protocol, but lets offers of HTTP/2 pass', async () => {
    const path = '/proxy/services/main/web/x';
    const other = await raw(path, { connection: 'Upgrade', upgrade: 'tcp' });
    expect([other.response.statusCode, other.body]).toEqual([
      400,
      '{"detail":"Upgrading connections is not supported"}',
    ]);
    const h2 = await raw(path, { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c' });
    expect(h2.response.statusCode).toBe(200);
  });
});

describe('callers of a service', () => {
  const refusal = { detail: 'Unauthenticated or unauthorized to access project main' };

  it('must be members of its project', async () => {
    for (const authorization of ['', 'Bearer nobody', 'Basic YTpi']) {
      const answer = await get('web/x', { headers: { authorization } });
      expect([answer.status, await answer.json()]).toEqual([403, refusal]);
    }
    await server.call('/api/users/create', { username: 'alice', global_role: 'user' });
    const { body } = await server.call('/api/users/get_user', { username: 'alice' });
    const headers = { authorization: `bearer ${body.creds.token}` };
    expect((await get('web/x', { headers })).status).toBe(403);
    const members = [{ username: 'alice', project_role: 'user' }];
    await server.call('/api/projects/main/add_members', { members });
    expect((await get('web/x', { headers })).status).toBe(200);
    await server.call('/api/projects/main/remove_members', { usernames: ['alice'] });
    server.advance(10);
    expect((await get('web/x', { headers })).status).toBe(403);
  });

  it('may be anybody where it asks for nobody', async () => {
    await service('open', { auth: false });
    expect((await get('open/x', { headers: { authorization: 'Bearer app-token' } })).status).toBe(
      200,
    );
  });
});

describe('a service that cannot answer', () => {
  const failed = { detail: 'Error requesting upstream' };
  const notFound = (name: string) => ({ detail: `Service main/${name} not found` });

  it('is not found', async () => {
    await service('idle', {}, [null]);
    for (const name of ['nosuch', 'idle']) {
      const answer = await get(`${name}/x`, { headers: { authorization: '' } });
      expect([answer.status, await answer.json()]).toEqual([404, notFound(name)]);
    }
  });

  it('is asked at another replica when one takes no connection, whatever the method', async () => {
    await service('halved', {}, [await closedPort(), apps[0]?.port ?? 0]);
    for (let i = 0; i < 4; i++) {
      const answer = await get('halved/echo', { method: 'POST', body: 'once' });
      expect((await json(answer)).body).toBe('once');
    }
  });

  it('is given a while to listen when it has just begun to run', async () => {
    const port = await closedPort();
    const { id } = await submitService(server, 'young', {});
    await serveAt(server, id, [port], instances, server.deps.context().now);
    const refusals = refused;
    const answer = get('young/x');
    const address = `${url.replace('http', 'ws')}/proxy/services/main/young/ws`;
    const socket = new WebSocket(address, { headers: bearer() });
    while (refused < refusals + 2) await new Promise((resolve) => setImmediate(resolve));
    const app = createServer((_request, response) => response.end('here'));
    const sockets = new WebSocketServer({ server: app });
    app.listen(port, '127.0.0.1');
    await once(socket, 'open');
    expect(await (await answer).text()).toBe('here');
    socket.terminate();
    sockets.close();
    app.closeAllConnections();
    app.close();
  });

  it('is a bad gateway when no replica takes a connection', async () => {
    await service('dead', {}, [await closedPort(), await closedPort()]);
    const answer = await get('dead/x');
    expect([answer.status, await answer.json()]).toEqual([502, failed]);
  });

  it('is asked again only for what may be asked twice', async () => {
    const before = apps.map((app) => app.requests);
    const count = () => apps.reduce((sum, app, i) => sum + app.requests - (before[i] ?? 0), 0);
    expect((await get('web/drops')).status).toBe(502);
    expect(count()).toBe(2);
    expect((await get('web/drops', { method: 'POST', body: 'x' })).status).toBe(502);
    expect(count()).toBe(3);
  });

  it('is too slow after its time', async () => {
    const answer = await get('web/silent');
    expect([answer.status, await answer.json()]).toEqual([
      504,
      { detail: 'Timed out requesting upstream' },
    ]);
  });

  it('breaks off what it has begun', async () => {
    const answer = await get('web/dies');
    expect(answer.status).toBe(200);
    await expect(answer.text()).rejects.toThrow();
  });

  it('is forgotten when its replicas have changed', async () => {
    const [one = 0, two = 0] = apps.map((app) => app.port);
    const { id } = await service('moving', {}, [one, null]);
    expect(await (await get('moving/x')).text()).toBe('one /x');
    await serveAt(server, id, [null, two], instances);
    server.services.changed(id);
    expect(await (await get('moving/x')).text()).toBe('two /x');
  });
});

describe('a service behind a router', () => {
  it('lets through what a router serves', async () => {
    const group = { replicas: 1, commands: ['serve'] };
    const groups = [
      { ...group, name: 'router', router: { type: 'smg' } },
      { ...group, name: 'worker' },
    ];
    const more = { groups, commands: undefined, replicas: undefined };
    await service('routed', more, [apps[0]?.port ?? 0, null]);
    const status = async (path: string) => (await get(`routed${path}`)).status;
    expect(
      await Promise.all(['/v1/models', '/generate?a', '/chat/completions'].map(status)),
    ).toEqual([200, 200, 200]);
    expect(await Promise.all(['/', '/v1', '/generate/x', '/workers'].map(status))).toEqual([
      403, 403, 403, 403,
    ]);
  });
});

describe('a service that has been scaled to nothing', () => {
  const scaling = { metric: 'rps', target: 1 };

  it('keeps a request until its first replica is there, and wakes the run', async () => {
    const more = { replicas: '0..2', scaling };
    const { id } = await submitService(server, 'asleep', more);
    const heard: string[] = [];
    server.store.engine.onSignal((signal) => heard.push(signal.id));
    const answer = get('asleep/x');
    while (!heard.includes(id)) await new Promise((resolve) => setImmediate(resolve));
    const snapshot = await server.store.engine.loadRun(id);
    expect(snapshot?.requests?.[60]).toBe(1);
    // As scaling would: one replica, which then runs.
    const { now, newId } = server.deps.context();
    const view = await server.store.runs.byId(id);
    const [first] = await server.store.jobs.ofRun((await service('donor')).id);
    const job = { ...first, id: newId(), runId: id, submittedAt: now, version: 0 } as never;
    await server.store.engine.apply([{ type: 'job.insert', job }]);
    expect(view?.run.status).toBe('pending');
    server.services.changed(id);
    expect((await answer).status).toBe(200);
  });

  it('wakes for nobody who may not use it', async () => {
    const { id } = await submitService(server, 'quiet', { replicas: '0..2', scaling });
    expect((await get('quiet/x', { headers: { authorization: 'Bearer no' } })).status).toBe(403);
    expect((await server.store.engine.loadRun(id))?.requests?.[60]).toBe(0);
  });
});

describe('a replica that is to be stopped', () => {
  it('gets nothing new, and is idle when it has answered everything', async () => {
    next = Promise.withResolvers();
    const { jobs } = await service('leaving');
    const events = await Promise.all([get('leaving/events'), get('leaving/events')]);
    const idle = Promise.withResolvers<void>();
    const [job] = jobs;
    expect(server.services.leave(job?.id ?? '', idle.resolve)).toBe(false);
    const names = await Promise.all([1, 2, 3].map(async () => (await get('leaving/x')).text()));
    expect(new Set(names).size).toBe(1);
    next.resolve();
    await Promise.all(events.map((answer) => answer.text()));
    await idle.promise;
    expect(server.services.leave(job?.id ?? '', () => {})).toBe(true);
  });
});
