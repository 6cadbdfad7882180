import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { GuardedProxy } from './guarded-proxy.ts';
import { OutgoingRules } from './outgoing-rules.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function target(address: string, body: string | Buffer = 'inside') {
  const seen = { connections: 0, proxyHeaders: [] as string[] };
  const server = createServer(({ headers }, response) => {
    seen.proxyHeaders.push(...Object.keys(headers).filter((name) => name.startsWith('proxy-')));
    response.end(body);
  });
  server.on('connection', () => {
    seen.connections += 1;
  });
  server.listen(0, address);
  await once(server, 'listening');
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, seen };
}

async function proxy(allowed: readonly string[], maxBytes = 100_000) {
  const opened = await GuardedProxy.open(new OutgoingRules(allowed), maxBytes);
  cleanups.push(() => opened.close());
  return opened;
}

/** A plain proxy request, and its answer or failure. */
function plain({ url }: GuardedProxy, path: string): Promise<string> {
  return new Promise((resolve) => {
    const headers = { 'proxy-authorization': 'Basic x', host: 'x' };
    const outgoing = request(url, { path, headers, agent: false });
    outgoing.on('error', () => resolve('broken'));
    outgoing.on('response', (response) => {
      text(response).then(
        (body) => resolve(`${response.statusCode} ${body}`),
        () => resolve('broken'),
      );
    });
    outgoing.end();
  });
}

/** The answer to a request sent through a tunnel. */
async function tunnelled({ url }: GuardedProxy, authority: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => {});
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  const [first] = await once(socket, 'data');
  if (!String(first).startsWith('HTTP/1.1 200')) {
    socket.destroy();
    return String(first).split('\r\n', 1)[0] ?? '';
  }
  socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  return await text(socket).catch(() => 'broken');
}

describe('the proxy of a program with its own connections', () => {
  it('allows public addresses, by tunnels and by plain requests', async () => {
    const { port, seen } = await target('127.0.0.1');
    const opened = await proxy(['127.0.0.1']);
    expect(await plain(opened, `http://127.0.0.1:${port}/x`)).toBe('200 inside');
    expect(await tunnelled(opened, `127.0.0.1:${port}`)).toContain('inside');
    expect([opened.refusal, seen.proxyHeaders]).toEqual([null, []]);
  });

  it.each(['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '0.0.0.0'])(
    'refuses %s',
    async (host) => {
      const { port, seen } = await target('127.0.0.1');
      const opened = await proxy([]);
      expect(await plain(opened, `http://${host}:${port}/x`)).toBe('broken');
      expect(await tunnelled(opened, `${host}:${port}`)).toBe('HTTP/1.1 502 Bad Gateway');
      expect(opened.refusal?.refusal).toMatchObject({ rule: 'address' });
      expect(seen.connections).toBe(0);
    },
  );

  it.each(['file:///etc/passwd', '/x', 'http://', 'ftp://127.0.0.1/'])(
    'refuses the malformed request %s',
    async (path) => {
      expect(await plain(await proxy(['loopback']), path)).toBe('400 ');
    },
  );

  it.each(['127.0.0.1', ':80', 'a:b', '127.0.0.1:80/x'])('opens no tunnel to %s', async (where) => {
    expect(await tunnelled(await proxy(['loopback']), where)).toBe('HTTP/1.1 400 Bad Request');
  });

  it('limits the number of bytes of all connections together', async () => {
    const { port } = await target('127.0.0.1', Buffer.alloc(3000, 'a'));
    const opened = await proxy(['127.0.0.1'], 5000);
    expect(await plain(opened, `http://127.0.0.1:${port}/x`)).toContain('200 aaa');
    expect(opened.refusal).toBeNull();
    const more = await plain(opened, `http://127.0.0.1:${port}/x`);
    expect(more).toBe('broken');
    expect(opened.refusal?.refusal).toEqual({ rule: 'size', bytes: 5000 });
  });

  it('closes its connections when it is closed', async () => {
    const { port } = await target('127.0.0.1');
    const opened = await GuardedProxy.open(new OutgoingRules(['127.0.0.1']), 1000);
    const socket = connect(Number(new URL(opened.url).port), '127.0.0.1');
    socket.write(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\n\r\n`);
    await once(socket, 'data');
    const ended = once(socket.resume(), 'close');
    await opened.close();
    await ended;
  });
});
