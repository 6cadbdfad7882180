import { ConnectionError, NotFoundError, type StreamedChange } from '@dstack/client';
import { expect, it } from 'vitest';
import type { LiveState } from './live-state.ts';
import { streamFeed } from './stream-feed.ts';

const lost = new ConnectionError('http://x', 'GET /api/stream', null);
const answer = { request: '', status: 404, code: null, fields: [], body: null, requestId: null };
const ready = (id: string, resumed: boolean): StreamedChange => ({
  kind: 'notice',
  id,
  notice: { event: 'ready', resumed },
});
const changed = (id: string): StreamedChange => ({
  kind: 'change',
  id,
  change: { type: 'run', id: `run-${id}`, project: 'main', version: 1 },
});

/** Each connection sends its messages and ends, with an error if there is one. */
async function follow(...connections: (readonly (StreamedChange | Error)[])[]) {
  const after: (string | null)[] = [];
  const delays: number[] = [];
  const states: LiveState[] = [];
  const changes: string[] = [];
  let gaps = 0;
  let isFallback = false;
  let finished = () => {};
  const end = new Promise<void>((resolve) => {
    finished = resolve;
  });
  const feed = streamFeed({
    async *open(query) {
      after.push(query.after ?? null);
      const messages = connections[after.length - 1];
      if (messages === undefined) {
        finished();
        await new Promise(() => {});
      }
      for (const message of messages ?? []) {
        if (message instanceof Error) throw message;
        yield message;
      }
    },
    fallback: {
      start: () => {
        isFallback = true;
        finished();
        return () => {};
      },
      retry: () => {},
    },
    onRefused: () => {},
    now: () => 1000,
    wait: async (ms) => {
      delays.push(ms);
    },
  });
  const stop = feed.start({
    onState: (state) => states.push(state),
    onChange: ({ id }) => changes.push(id),
    onGap: () => {
      gaps += 1;
    },
  });
  await end;
  stop();
  return { after, delays, states, changes, gaps, isFallback };
}

it('continues a lost stream at the last message, without reading everything again', async () => {
  const w = await follow([ready('1', false), changed('2'), lost], [ready('3', true), changed('4')]);
  expect(w.after).toEqual([null, '2', '4']);
  expect(w.changes).toEqual(['run-2', 'run-4']);
  expect(w.gaps).toBe(1);
});

it('reads everything again when messages are lost', async () => {
  const reset = { kind: 'notice', id: '9', notice: { event: 'reset', reason: 'gap' } } as const;
  expect((await follow([ready('1', false), lost], [reset])).gaps).toBe(2);
});

it('does not report a server that is back at once, and waits longer for others', async () => {
  const once = await follow([ready('1', false), lost], [ready('2', true)]);
  expect(once.states.map(({ kind }) => kind)).toEqual(['live', 'live']);
  const down = await follow([ready('1', false), lost], [lost], [lost], [lost]);
  expect(down.delays).toEqual([200, 500, 1000, 2000]);
  expect(down.states.at(-1)).toEqual({ kind: 'offline', updatedAt: 1000, retryAt: 3000 });
});

it('polls servers without the stream', async () => {
  const w = await follow([new NotFoundError('Not found', answer)]);
  expect(w.isFallback).toBe(true);
});

/** A connection that stays open and sends no more than `messages`, and timers that the test fires. */
function silentServer(...messages: readonly StreamedChange[]) {
  const timers = new Set<() => void>();
  const states: LiveState[] = [];
  const opened: AbortSignal[] = [];
  let onOpen = () => {};
  const feed = streamFeed({
    async *open(_query, signal) {
      opened.push(signal);
      yield* opened.length === 1 ? messages : [];
      onOpen();
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
      });
    },
    fallback: { start: () => () => {}, retry: () => {} },
    onRefused: () => {},
    now: () => 1000,
    wait: async () => {},
    setTimer: (run) => {
      timers.add(run);
      return () => timers.delete(run);
    },
  });
  const begin = (act: () => void) =>
    new Promise<void>((resolve) => {
      onOpen = resolve;
      act();
    });
  return { feed, timers, states, opened, begin };
}

it('reports a server that sends nothing any more as offline, and tries again', async () => {
  const w = silentServer(ready('1', false));
  let stop = () => {};
  await w.begin(() => {
    stop = w.feed.start({
      onState: (state) => w.states.push(state),
      onChange: () => {},
      onGap: () => {},
    });
  });
  expect(w.states.map(({ kind }) => kind)).toEqual(['live']);
  expect(w.timers.size).toBe(1);
  await w.begin(() => {
    for (const run of w.timers) run();
  });
  expect(w.opened.map(({ aborted }) => aborted)).toEqual([true, false]);
  expect(w.states.slice(1).map(({ kind }) => kind)).toEqual(['offline', 'offline']);
  stop();
});

it('gives an attempt up that gets no answer when the user asks for another one', async () => {
  const w = silentServer();
  let stop = () => {};
  await w.begin(() => {
    stop = w.feed.start({ onState: () => {}, onChange: () => {}, onGap: () => {} });
  });
  await w.begin(() => w.feed.retry());
  expect(w.opened.map(({ aborted }) => aborted)).toEqual([true, false]);
  stop();
  expect(w.opened[1]?.aborted).toBe(true);
});
