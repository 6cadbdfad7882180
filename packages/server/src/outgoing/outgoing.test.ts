import type { LookupAddress, lookup } from 'node:dns';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Outgoing } from './outgoing.ts';
import { OutgoingFailed, type OutgoingRefusal, OutgoingRefused } from './outgoing-error.ts';
import { OutgoingRules } from './outgoing-rules.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A server on a local address; `connections` counts its clients. */
async function listen(address: string, handler: Handler) {
  const server = createServer(handler);
  const seen = { connections: 0 };
  server.on('connection', () => {
    seen.connections += 1;
  });
  server.listen(0, address);
  await once(server, 'listening');
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const host = address.includes(':') ? `[${address}]` : address;
  return { url: `http://${host}:${port}`, port, seen };
}

function client(allowed: readonly string[], names: Readonly<Record<string, string[]>> = {}) {
  const resolve = ((host: string, _options: object, done: (...answer: unknown[]) => void) => {
    const found = (names[host] ?? []).map(
      (address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 }),
    );
    if (found.length > 0) done(null, found);
    else done(Object.assign(new Error(`${host} has no address`), { code: 'ENOTFOUND' }));
  }) as typeof lookup;
  const outgoing = new Outgoing(new OutgoingRules(allowed), resolve);
  cleanups.push(() => outgoing.close());
  return outgoing;
}

const asked = { maxBytes: 1000 };
const ok: Handler = (_request, response) => response.end('{"a": 1}');
const to =
  (location: string): Handler =>
  (_request, response) =>
    response.writeHead(302, { location }).end('elsewhere');

async function refusal(answer: Promise<unknown>): Promise<OutgoingRefusal> {
  const error = await answer.catch((thrown: unknown) => thrown);
  if (error instanceof OutgoingRefused) return error.refusal;
  throw new Error(`not refused: ${String(error)}`);
}

describe('a request on behalf of a user', () => {
  it('returns the answer of an allowed address', async () => {
    const { url } = await listen('127.0.0.1', (_request, response) => {
      response.writeHead(404, { 'X-Thing': 'yes' }).end('none');
    });
    const answer = await client(['127.0.0.1']).get(url, asked);
    expect([answer.status, answer.header('x-thing'), String(answer.body)]).toEqual([
      404,
      'yes',
      'none',
    ]);
    expect(answer.header('x-other')).toBeNull();
  });

  it.each(['127.0.0.1', '127.9.9.9', '::1'])('opens no connection to %s', async (address) => {
    const { url, seen } = await listen(address, ok);
    expect(await refusal(client([]).get(url, asked))).toMatchObject({ rule: 'address' });
    expect(seen.connections).toBe(0);
  });

  it.each(['2130706433', '0x7f000001', '127.1', '0177.0.0.1', '[::ffff:127.0.0.1]', '0.0.0.0'])(
    'reads %s as an address',
    async (host) => {
      const { port, seen } = await listen('127.0.0.1', ok);
      const answer = client([]).get(`http://${host}:${port}/`, asked);
      expect(await refusal(answer)).toMatchObject({ rule: 'address' });
      expect(seen.connections).toBe(0);
    },
  );

  it('uses none of the forbidden addresses of a name', async () => {
    const inside = await listen('127.0.0.2', ok);
    const names = { 'in.test': ['127.0.0.2'], 'mixed.test': ['127.0.0.2', '127.0.0.1'] };
    const outgoing = client(['127.0.0.1'], names);
    const one = outgoing.get(`http://in.test:${inside.port}/`, asked);
    expect(await refusal(one)).toEqual({ rule: 'address', host: 'in.test' });
    const mixed = outgoing.get(`http://mixed.test:${inside.port}/`, asked);
    await expect(mixed).rejects.toThrow(OutgoingFailed);
    expect(inside.seen.connections).toBe(0);
  });

  it('may go to an allowed name, whatever its address', async () => {
    const { port } = await listen('127.0.0.2', ok);
    const outgoing = client(['in.test'], { 'in.test': ['127.0.0.2'] });
    expect((await outgoing.get(`http://in.test:${port}/`, asked)).status).toBe(200);
  });

  it('follows no redirect to a forbidden address', async () => {
    const inside = await listen('127.0.0.2', ok);
    const outside = await listen('127.0.0.1', to(`${inside.url}/latest/meta-data`));
    const answer = client(['127.0.0.1']).get(outside.url, asked);
    expect(await refusal(answer)).toMatchObject({ rule: 'address', host: '127.0.0.2' });
    expect(inside.seen.connections).toBe(0);
  });

  it('sends credentials to their own origin only', async () => {
    const received: Record<string, unknown>[] = [];
    const other = await listen('127.0.0.1', ({ headers }, response) => {
      received.push(headers);
      response.end('done');
    });
    const first = await listen('127.0.0.1', ({ url, headers }, response) => {
      received.push(headers);
      const location = url === '/a' ? '/b' : `${other.url}/c`;
      response.writeHead(307, { location }).end();
    });
    const headers = { Authorization: 'Bearer secret', cookie: 'a=b', accept: 'x/y' };
    await client(['127.0.0.1']).get(`${first.url}/a`, { ...asked, headers });
    expect(
      received.map(({ authorization, cookie, accept }) => [authorization, cookie, accept]),
    ).toEqual([
      ['Bearer secret', 'a=b', 'x/y'],
      ['Bearer secret', 'a=b', 'x/y'],
      [undefined, undefined, 'x/y'],
    ]);
  });

  it('ends after five redirects', async () => {
    const { url, seen } = await listen('127.0.0.1', (request, response) => {
      response.writeHead(302, { location: `/${request.url?.length}` }).end();
    });
    const loop = client(['127.0.0.1']).get(url, asked);
    expect(await refusal(loop)).toEqual({ rule: 'redirects', most: 5 });
    expect(seen.connections).toBeLessThanOrEqual(6);
  });

  it.each(['file:///etc/passwd', 'ftp://x.org/', 'gopher://x.org/', 'data:,x'])(
    'is never made to %s, directly or by a redirect',
    async (target) => {
      const protocol = new URL(target).protocol;
      const outgoing = client(['127.0.0.1']);
      expect(await refusal(outgoing.get(target, asked))).toEqual({ rule: 'protocol', protocol });
      const { url } = await listen('127.0.0.1', to(target));
      expect(await refusal(outgoing.get(url, asked))).toEqual({ rule: 'protocol', protocol });
    },
  );

  it('reads no answer that is too large, and none that does not end', async () => {
    const large = await listen('127.0.0.1', (_request, response) => {
      const write = () => response.write(Buffer.alloc(600), write);
      write();
    });
    const outgoing = client(['127.0.0.1']);
    expect(await refusal(outgoing.get(large.url, asked))).toEqual({ rule: 'size', bytes: 1000 });
    const silent = await listen('127.0.0.1', (_request, response) => {
      response.write('a');
    });
    const signal = AbortSignal.timeout(50);
    await expect(outgoing.get(silent.url, { ...asked, signal })).rejects.toThrow(OutgoingFailed);
  });

  it.each(['no url', 'http://absent.test/', 'http://127.0.0.1:1/'])(
    'to %s fails with a reason',
    async (target) => {
      await expect(client(['127.0.0.1']).get(target, asked)).rejects.toThrow(OutgoingFailed);
    },
  );
});
