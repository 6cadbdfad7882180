import { once } from 'node:events';
import { createServer, type Http2Server } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, expect, it, vi } from 'vitest';
import { ReplicaSessions } from './replica-sessions.ts';
import { ConnectFailure } from './upstream-failure.ts';

let app: Http2Server | null = null;
afterEach(() => {
  vi.useRealTimers();
  app?.close();
});

/** The sessions to an app that allows this many calls at once, and how many connections were opened. */
async function sessionsTo(maxConcurrentStreams: number, idleMs = 60_000) {
  const server = createServer({ settings: { maxConcurrentStreams } });
  app = server;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const opened = { count: 0 };
  const open = async () => {
    opened.count++;
    return connect(port, '127.0.0.1');
  };
  return { sessions: new ReplicaSessions({ open, port, idleMs }), opened };
}

it('calls that an app allows at once share a connection, and others get one of their own', async () => {
  const { sessions, opened } = await sessionsTo(2);
  const taken = await Promise.all([1, 2, 3].map(() => sessions.take()));
  expect(opened.count).toBe(2);
  for (const { release } of taken) release();
  (await sessions.take()).release();
  expect(opened.count).toBe(2);
  sessions.destroy();
});

it('an app that allows no calls is not connected to again and again', async () => {
  const { sessions, opened } = await sessionsTo(0);
  const failure = await sessions.take().catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ConnectFailure);
  expect(opened.count).toBe(1);
  sessions.destroy();
});

it('a connection is closed when no call has used it for a while, and not while one does', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { sessions, opened } = await sessionsTo(2, 60_000);
  (await sessions.take()).release();
  vi.advanceTimersByTime(59_000);
  const second = await sessions.take();
  const closed = once(second.http2, 'close');
  vi.advanceTimersByTime(120_000);
  expect([second.http2.closed, opened.count]).toEqual([false, 1]);
  second.release();
  vi.advanceTimersByTime(60_000);
  await closed;
  (await sessions.take()).release();
  expect(opened.count).toBe(2);
  sessions.destroy();
});
