import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import { afterEach, expect, it, vi } from 'vitest';
import { trailingDispatcher } from './trailing-request.ts';

const TIMEOUT_MS = 60_000;

afterEach(() => void vi.useRealTimers());

/** Sends a request with this body over the connection. */
function ask(connection: Duplex, parts: number, handler: Dispatcher.DispatchHandler): void {
  const dispatcher = trailingDispatcher({
    request: { rawHeaders: ['Trailer', 'X-Sum'] } as unknown as IncomingMessage,
    open: async () => connection,
    trailers: async () => [['X-Sum', '4']],
    timeoutMs: TIMEOUT_MS,
  });
  const body = (async function* () {
    for (let part = 0; part < parts; part++) yield Buffer.alloc(64 * 1024);
  })();
  dispatcher.dispatch({ method: 'POST', path: '/', headers: [], body: body as never }, handler);
}

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n';

it('ends when a client leaves that has not read its answer, also after the connection of the app', async () => {
  const app: Server = createServer((socket) => socket.on('error', () => {}).end(`${HEAD}text`));
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  const connection = connect((app.address() as AddressInfo).port, '127.0.0.1');
  const started = Promise.withResolvers<Dispatcher.DispatchController>();
  const failed = Promise.withResolvers<Error>();
  ask(connection, 0, {
    onResponseStart: (controller) => {
      controller.pause();
      started.resolve(controller);
    },
    onResponseError: (_controller, error) => failed.resolve(error),
  });
  const [controller] = await Promise.all([started.promise, once(connection, 'close')]);
  app.close();
  controller.abort(new Error('the client has left'));
  expect(await failed.promise).toMatchObject({ message: 'the client has left' });
});

/** A connection whose other end takes what is written, and calls `onPart` with it. */
function connectionTo(onPart: (part: Buffer, taken: () => void) => void): Duplex {
  return new Duplex({ read: () => {}, write: (part, _encoding, done) => onPart(part, done) });
}

it('does not take the time in which a client does not read for silence of the app', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const started = Promise.withResolvers<Dispatcher.DispatchController>();
  const over = Promise.withResolvers<Error | null>();
  const connection = connectionTo((part, taken) => {
    taken();
    if (part.includes('X-Sum: 4')) connection.push(`${HEAD}te`);
  });
  ask(connection, 1, {
    onResponseStart: (controller) => {
      controller.pause();
      started.resolve(controller);
    },
    onResponseEnd: () => over.resolve(null),
    onResponseError: (_controller, error) => over.resolve(error),
  });
  const controller = await started.promise;
  vi.advanceTimersByTime(2.5 * TIMEOUT_MS);
  controller.resume();
  vi.advanceTimersByTime(0.9 * TIMEOUT_MS);
  connection.push('xt');
  expect(await over.promise).toBeNull();
});

it.each([
  ['answer', 4],
  ['read the body', 1000],
])('fails when an app does not %s', async (what, parts) => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const failed = Promise.withResolvers<Error>();
  const stopped = Promise.withResolvers<void>();
  const connection = connectionTo((part, taken) => {
    if (what === 'answer') taken();
    if (what !== 'answer' || part.includes('X-Sum: 4')) stopped.resolve();
  });
  ask(connection, parts, { onResponseError: (_controller, error) => failed.resolve(error) });
  await stopped.promise;
  // The rest of the body is written, as far as it is taken.
  await new Promise(setImmediate);
  vi.advanceTimersByTime(2 * TIMEOUT_MS);
  expect(await failed.promise).toMatchObject({ name: 'NoAnswerInTime' });
});

it('leaves no connection behind of an app that answers without reading the body', async () => {
  const connection = connectionTo(() => connection.push(`${HEAD}text`));
  const answered = Promise.withResolvers<void>();
  ask(connection, 10, { onResponseEnd: () => answered.resolve() });
  await answered.promise;
  await vi.waitFor(() => expect(connection.destroyed).toBe(true));
});
