import { ConnectionError, NotDstackError, NotFoundError } from '@dstack/client';
import { expect, test } from 'vitest';
import { outlast } from './outlast.ts';
import { watchFrames } from './terminal/watch.ts';

const away = new ConnectionError('http://a', 'POST /api/runs/list', new Error('refused'));
const signal = new AbortController().signal;

/** Waits take no time and are recorded. */
function patience(): { waits: number[]; wait: (ms: number) => Promise<void> } {
  const waits: number[] = [];
  const wait = async (ms: number): Promise<void> => {
    waits.push(ms);
  };
  return { waits, wait };
}

/** Fails with these errors, one after the other, and then answers. */
function answering(errors: readonly unknown[]): () => Promise<string> {
  const left = [...errors];
  return async () => {
    if (left.length > 0) throw left.shift();
    return 'here';
  };
}

test('a request is repeated with growing delays until the server is back', async () => {
  const { waits, wait } = patience();
  let notes = 0;
  const proxy = new NotDstackError('http://a', 'POST /x', 502, 'nginx');
  const request = answering([away, proxy, away, away, away, away, away]);
  expect(await outlast({ wait }, request, signal, () => (notes += 1))).toBe('here');
  expect([notes, waits]).toEqual([1, [500, 1000, 2000, 4000, 8000, 10_000, 10_000]]);
});

test('a server that stays away ends the command after five minutes', async () => {
  const { waits, wait } = patience();
  const request = () => Promise.reject(away);
  await expect(outlast({ wait }, request, signal, () => {})).rejects.toBe(away);
  const total = waits.reduce((sum, ms) => sum + ms, 0);
  expect([total >= 300_000, total < 320_000]).toEqual([true, true]);
});

test('an answer that will not change is not asked for again', async () => {
  const { waits, wait } = patience();
  const answer = { status: 404, code: null, fields: [], body: null, requestId: null };
  const missing = new NotFoundError('no such run', { ...answer, request: 'POST /x' });
  await expect(outlast({ wait }, answering([missing]), signal, () => {})).rejects.toBe(missing);
  expect(waits).toEqual([]);
});

/** All that `--watch` drew when the frames or errors followed each other; the frame `two` ends it. */
async function drawnBy(frames: (string | Error)[]): Promise<string[]> {
  const { wait } = patience();
  const drawn: string[] = [];
  let stop = (): void => {};
  const cli = {
    wait,
    onInterrupt: (handler: () => void) => {
      stop = handler;
      return () => {};
    },
    io: {
      paint: (_style: string, text: string) => text,
      redrawnOut: {
        draw: (text: string) => {
          drawn.push(text);
          if (text === 'two\n') stop();
        },
      },
    },
  };
  const frame = async (): Promise<string> => {
    const next = frames.shift() ?? '';
    if (typeof next !== 'string') throw next;
    return next;
  };
  await watchFrames(cli as unknown as Parameters<typeof watchFrames>[0], frame);
  return drawn;
}

test('--watch keeps its last frame while the server is restarted', async () => {
  const drawn = await drawnBy(['one\n', away, away, 'two\n']);
  expect(drawn).toEqual(['one\n', expect.stringMatching(/^one\n.*does not answer/), 'two\n']);
});

test('--watch that begins while the server is restarted waits for it, and names its address', async () => {
  const drawn = await drawnBy([away, away, 'two\n']);
  expect(drawn).toEqual([
    expect.stringMatching(/trying again \(Failed to connect .*http:\/\/a\)/),
    'two\n',
  ]);
});
