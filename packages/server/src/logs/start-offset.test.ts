import { afterEach, beforeEach, expect, it } from 'vitest';
import type { FileLogStore } from './file/file-log-store.ts';
import { startOffset } from './start-offset.ts';
import { openTestLogs, REF, type TestLogs } from './testing/test-logs.ts';

const SECOND = 1_000_000;

let logs: TestLogs;
let store: FileLogStore;

beforeEach(async () => {
  logs = await openTestLogs();
  store = logs.store;
});
afterEach(() => logs.close());

/** Stores a piece a second. */
async function put(...texts: string[]): Promise<void> {
  let length = 0;
  for (const [i, text] of texts.entries()) {
    const time = (i + 1) * SECOND;
    ({ length } = await store.append(REF, length, time, Buffer.from(text)));
  }
}

it.each([
  [null, 0],
  [0.5, 0],
  [1.5, 2],
  [2.5, 4],
])('output since second %s begins at byte %d', async (seconds, offset) => {
  await put('a\n', 'b\n', 'c\n');
  const since = seconds === null ? null : seconds * SECOND;
  expect(await startOffset(store, REF, { since, lines: null })).toBe(offset);
});

it('future output begins after all present output', async () => {
  await put('a\n', 'b\n');
  expect(await startOffset(store, REF, { since: 60 * SECOND, lines: null })).toBe(4);
});

it.each([
  [0, 'a\nbb\nccc\n', 9],
  [1, 'a\nbb\nccc\n', 5],
  [2, 'a\nbb\nccc\n', 2],
  [3, 'a\nbb\nccc\n', 0],
  [9, 'a\nbb\nccc\n', 0],
  [1, 'a\nunfinished', 2],
  [2, `${'x'.repeat(100_000)}\n${'y'.repeat(100_000)}\nz\n`, 100_001],
])('the last %d lines begin at their first byte', async (lines, text, offset) => {
  await put(text);
  expect(await startOffset(store, REF, { since: null, lines })).toBe(offset);
});

it('the last lines are counted among those since a time', async () => {
  await put('a\n', 'b\n', 'c\n');
  expect(await startOffset(store, REF, { since: 2.5 * SECOND, lines: 2 })).toBe(4);
});

it('a job without output begins at its first byte', async () => {
  expect(await startOffset(store, REF, { since: 1, lines: 5 })).toBe(0);
});
