import { createServer, type Http2Server } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { Duplex } from 'node:stream';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { AgentTunnels } from './agent-tunnels.ts';
import { NoAnswerError } from './errors.ts';

let server: Http2Server;
let tunnels: AgentTunnels;

beforeEach(async () => {
  tunnels = new AgentTunnels();
  server = createServer();
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    stream.respond({ ':status': 200 });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  vi.useRealTimers();
  tunnels.close();
  server.close();
});

/** A connection that stops in both directions, without any report, as when a node is cut off. */
function breakable() {
  let isCut = false;
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const stream = new Duplex({
    read: () => {},
    write: (chunk, _encoding, done) => {
      if (!isCut) socket.write(chunk, done);
    },
    destroy: (_error, done) => {
      socket.destroy();
      if (!isCut) done(null);
    },
  });
  socket.on('data', (chunk) => isCut || stream.push(chunk));
  socket.on('error', () => {});
  return {
    stream,
    cut: () => {
      isCut = true;
    },
  };
}

function connected(): Duplex {
  return connect((server.address() as AddressInfo).port, '127.0.0.1');
}

/** A port that has no listener for the first attempts. */
function portAfter(refusals: number) {
  const attempts = { count: 0 };
  const open = async () => {
    attempts.count++;
    if (attempts.count <= refusals) throw new NoAnswerError('no listener');
    return connected();
  };
  return { attempts, target: { key: 'pod', what: 'pod train', open } };
}

it('the port of an agent that reports when it listens is tried once before that', async () => {
  const { attempts, target } = portAfter(1);
  const report = Promise.withResolvers<boolean>();
  let reports = 0;
  const listens = () => {
    reports++;
    return report.promise;
  };
  const both = [1, 2].map(() => tunnels.dial({ ...target, listens }, 'token'));
  await vi.waitFor(() => expect(reports).toBe(1));
  expect(attempts.count).toBe(1);
  report.resolve(true);
  await Promise.all(both);
  expect({ reports, attempts: attempts.count }).toEqual({ reports: 1, attempts: 2 });
});

it('a port is tried again where nothing reports that it listens', async () => {
  const { attempts, target } = portAfter(3);
  await tunnels.dial({ ...target, listens: async () => false }, 'token');
  expect(attempts.count).toBe(4);
});

it('while many agents are awaited, their ports are tried once they report that they listen', async () => {
  const few = Array.from({ length: 3 }, (_, n) => ({ ...portAfter(1), key: `few-${n}` }));
  const never = Promise.withResolvers<boolean>();
  const waiting = few.map(({ target, key }) =>
    tunnels.dial({ ...target, key, listens: () => never.promise }, 'token'),
  );
  await vi.waitFor(() => expect(few.map(({ attempts }) => attempts.count)).toEqual([1, 1, 1]));
  const { attempts, target } = portAfter(0);
  // Its log cannot be read at first.
  const reports = [false, false, true];
  const listens = async () => reports.shift() ?? false;
  const both = [1, 2].map(() => tunnels.dial({ ...target, key: 'more', listens }, 'token'));
  expect(attempts.count).toBe(0);
  await Promise.all(both);
  expect([attempts.count, reports]).toEqual([1, []]);
  never.resolve(true);
  await Promise.all(waiting);
});

it('while many agents are awaited, ports without a report are tried rarely', async () => {
  const many = Array.from({ length: 4 }, (_, n) => ({ ...portAfter(1), key: `many-${n}` }));
  const dialled = many.map(({ target, key }) =>
    tunnels.dial({ ...target, key, listens: async () => false }, 'token'),
  );
  await Promise.all(dialled);
  expect(many.map(({ attempts }) => attempts.count)).toEqual([2, 2, 2, 2]);
});

it('a report that comes after the limit still leads to an attempt, and to no further one', async () => {
  const { attempts, target } = portAfter(2);
  vi.useFakeTimers({ toFake: ['performance'] });
  const listens = async () => {
    vi.advanceTimersByTime(60_000);
    return true;
  };
  await expect(tunnels.dial({ ...target, listens }, 'token')).rejects.toThrow('no listener');
  expect(attempts.count).toBe(2);
});

it('a connection that carries nothing any more is given up, and the process continues', async () => {
  const { stream, cut } = breakable();
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] });
  const target = { key: 'pod', what: 'pod train', open: async () => stream };
  const connection = await tunnels.dial(target, 'token');
  const closed = new Promise((resolve) => connection.on('error', () => {}).once('close', resolve));
  cut();
  for (let i = 0; i < 5; i++) await vi.advanceTimersByTimeAsync(15_000);
  await closed;
  expect(connection.destroyed).toBe(true);
});

it('a prepared tunnel carries the first connection', async () => {
  const { attempts, target } = portAfter(0);
  tunnels.prepare(target);
  tunnels.prepare(target);
  await vi.waitFor(() => expect(attempts.count).toBe(1));
  (await tunnels.dial(target, 'token')).destroy();
  tunnels.prepare(target);
  expect(attempts.count).toBe(1);
});

it('the first connection makes another attempt where a tunnel could not be prepared', async () => {
  const { attempts, target } = portAfter(1);
  tunnels.prepare(target);
  await tunnels.dial(target, 'token');
  expect(attempts.count).toBe(2);
});

it('a prepared tunnel that nothing uses is ended', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const stream = connected();
  const isOpen = new Promise((resolve) => {
    server.once('session', (session) => session.once('localSettings', resolve));
  });
  const hasEnded = new Promise((resolve) => stream.once('close', resolve));
  tunnels.prepare({ key: 'pod', what: 'pod train', open: async () => stream });
  await isOpen;
  await new Promise(setImmediate);
  vi.advanceTimersByTime(10_000);
  await hasEnded;
});
