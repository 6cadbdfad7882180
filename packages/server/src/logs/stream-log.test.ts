import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { FileLogStore } from './file/file-log-store.ts';
import type { LogStore } from './log-store.ts';
import { streamLog } from './stream-log.ts';
import { openTestLogs, REF, type TestLogs } from './testing/test-logs.ts';

let logs: TestLogs;
let store: FileLogStore;
let length = 0;

beforeEach(async () => {
  length = 0;
  logs = await openTestLogs();
  store = logs.store;
});
afterEach(() => logs.close());

async function put(text: string): Promise<void> {
  ({ length } = await store.append(REF, length, length + 1, Buffer.from(text)));
}

interface Reader {
  readonly sink: PassThrough;
  readonly done: Promise<void>;
  readonly stop: AbortController;
  /** Reads until the text received matches. */
  until(pattern: RegExp): Promise<string>;
}

function read(
  offset = 0,
  keepAliveMs = 60_000,
  from: LogStore = store,
  timestamps = false,
  shutdown = new AbortController().signal,
): Reader {
  const sink = new PassThrough();
  const stop = new AbortController();
  const options = { keepAliveMs, timestamps, shutdown };
  const done = streamLog(from, REF, offset, sink, stop.signal, options);
  let text = '';
  const until = async (pattern: RegExp) => {
    while (!pattern.test(text)) {
      const chunk = sink.read();
      if (chunk !== null) text += chunk;
      else if (sink.readableEnded) throw new Error(`ended with ${text}`);
      else await new Promise((resolve) => sink.once('readable', resolve));
    }
    return text;
  };
  return { sink, done, stop, until };
}

function decoded(text: string): string {
  const data = text.split('\n\n').filter((message) => /^id/.test(message));
  return data
    .map((message) => Buffer.from(message.split('data: ')[1] ?? '', 'base64').toString())
    .join('');
}

it('replays stored output, follows live, and ends with the output', async () => {
  await put('one ');
  const reader = read();
  expect(await reader.until(/id: 4/)).toBe(`id: 4\ndata: ${btoa('one ')}\n\n`);
  await put('two ');
  await reader.until(/id: 8/);
  await put('three');
  await store.end(REF);
  const text = await reader.until(/event: end\nid: 13\ndata: 13\n\n/);
  expect(decoded(text)).toBe('one two three');
  await reader.done;
});

it('starts at the requested offset, also in the middle of a future piece', async () => {
  await put('abc');
  const [inside, ahead] = [read(1), read(5)];
  expect(decoded(await inside.until(/id: 3/))).toBe('bc');
  await put('defgh');
  await store.end(REF);
  expect(decoded(await inside.until(/event: end/))).toBe('bcdefgh');
  expect(decoded(await ahead.until(/event: end/))).toBe('fgh');
});

it('sends the times of output before it if they are asked for', async () => {
  await store.append(REF, 0, 1_000_000, Buffer.from('one '));
  await store.append(REF, 4, 2_000_000, Buffer.from('two '));
  const reader = read(2, 60_000, store, true);
  const stored = `event: times\ndata: [[4,1000],[8,2000]]\n\nid: 8\ndata: ${btoa('e two ')}\n\n`;
  expect(await reader.until(/id: 8/)).toBe(stored);
  await store.append(REF, 8, 3_000_999, Buffer.from('three'));
  const live = `event: times\ndata: [[13,3000]]\n\nid: 13\ndata: ${btoa('three')}\n\n`;
  expect(await reader.until(/id: 13/)).toBe(stored + live);
  reader.stop.abort();
  await reader.done;
});

it('ends at once if the output is already complete', async () => {
  await put('abc');
  await store.end(REF);
  expect(decoded(await read().until(/event: end/))).toBe('abc');
});

it('shows where output is lost', async () => {
  await put('abc');
  await store.skip(REF, 10, 1);
  length = 10;
  await put('k');
  await store.end(REF);
  expect(await read().until(/event: end/)).toContain('event: gap\nid: 10\ndata: 7\n\nid: 11\n');
});

it('sends everything in order to a reader who was stuck, without delaying the writer', async () => {
  const slow = read();
  const fast = read();
  const line = `${'z'.repeat(9_999)}\n`;
  for (let i = 0; i < 200; i++) {
    await put(line);
    await fast.until(new RegExp(`id: ${length}\n`));
  }
  expect(slow.sink.readableLength).toBeLessThan(300_000);
  await store.end(REF);
  const text = await slow.until(/event: end/);
  expect(decoded(text)).toBe(line.repeat(200));
});

it('keeps an idle connection alive with comments', async () => {
  const reader = read(0, 1);
  await reader.until(/^: keep-alive\n\n: keep-alive\n\n/);
  reader.stop.abort();
  await reader.done;
});

it('ends when the reader disconnects, waiting or stuck', async () => {
  const waiting = read();
  waiting.sink.destroy();
  await waiting.done;
  await put('x'.repeat(500_000));
  const stuck = read();
  stuck.stop.abort();
  await stuck.done;
});

it('sends what is stored when the server shuts down, even to a reader that has only just come', async () => {
  await put('stored');
  const shutdown = new AbortController();
  const late = read(0, 60_000, store, false, shutdown.signal);
  shutdown.abort();
  expect(decoded(await late.until(/id: 6/))).toBe('stored');
  await late.done;
  await put('y'.repeat(400_000));
  const stuck = read(0, 60_000, store, false, shutdown.signal);
  await stuck.done;
  expect(stuck.sink.readableLength).toBeLessThan(100_000);
});

it('detects new output, and the end, without a notification', async () => {
  await put('one ');
  // Another server's store on the same data, whose notifications do not reach this one.
  const silent: LogStore = new Proxy(store, {
    get: (target, name: keyof LogStore) =>
      name === 'follow' ? () => () => {} : target[name].bind(target),
  });
  const reader = read(0, 1, silent);
  await reader.until(/id: 4/);
  await put('two');
  await reader.until(/id: 7/);
  await store.end(REF);
  expect(decoded(await reader.until(/event: end/))).toBe('one two');
});

it('ends with a job whose output was never marked as complete', async () => {
  await put('all there is');
  let over = false;
  let notify = () => {};
  const sink = new PassThrough();
  const done = streamLog(store, REF, 0, sink, new AbortController().signal, {
    over: async () => over,
    watchOver: (listener) => {
      notify = listener;
      return () => {};
    },
  });
  // A change of something else.
  notify();
  over = true;
  notify();
  await done;
  expect(String(sink.read())).toMatch(/event: end\nid: 12\n/);
});
