import { ConnectionError } from '@dstack/client';
import { expect, it } from 'vitest';
import { firstLinesOf, type LogSource, readMerged } from './merged-log.ts';

const encode = (text: string) => new TextEncoder().encode(text);

it('reads the logs of all jobs round after round, until all have ended and were read to their end', async () => {
  const outputs = { a: 'a1\na2\n', b: 'b1\n' };
  const sources: LogSource[] = (['a', 'b'] as const).map((submission) => ({
    ...{ job: submission, attempt: 1, submission, isOver: false },
  }));
  let isOver = false;
  const asked: unknown[] = [];
  const seen: string[][] = [];
  let rounds = 0;
  await readMerged(
    {
      sources: () => sources.map((source) => ({ ...source, isOver })),
      async *read(submission, from) {
        asked.push(from);
        const bytes = encode(outputs[submission as 'a' | 'b']);
        const start = 'offset' in from ? from.offset : 0;
        const time = submission === 'a' ? 10 : 20;
        if (start < bytes.length) {
          const times = [{ end: bytes.length, time: time + rounds * 100 }];
          yield { bytes: bytes.subarray(start), end: bytes.length, times };
        }
      },
      onLines: (lines, isComplete) =>
        seen.push([...lines.map(({ source, text }) => `${source}:${text}`), String(isComplete)]),
      pause: async () => {
        rounds += 1;
        if (rounds === 1) outputs.b += 'b2\n';
        if (rounds === 2) isOver = true;
      },
    },
    new AbortController().signal,
  );
  expect(seen).toEqual([
    ['0:a1', '0:a2', '1:b1', 'false'],
    ['0:a1', '0:a2', '1:b1', '1:b2', 'false'],
    ['0:a1', '0:a2', '1:b1', '1:b2', 'true'],
  ]);
  expect(asked.slice(0, 3)).toEqual([{ lines: 5000 }, { lines: 5000 }, { offset: 6 }]);
});

it('goes on after the server was away, waiting longer each time', async () => {
  const output = encode('one\ntwo\n');
  const pauses: number[] = [];
  const seen: string[][] = [];
  await readMerged(
    {
      sources: () => [{ job: 'a', attempt: 1, submission: 'a', isOver: true }],
      async *read(_, from) {
        const start = 'offset' in from ? from.offset : 0;
        yield { bytes: output.subarray(start, start + 4), end: start + 4, times: [] };
        if (pauses.length < 1) throw new ConnectionError('http://x', 'GET /logs', null);
      },
      onLines: (lines) => seen.push(lines.map(({ text }) => text)),
      pause: async (_, lost) => void pauses.push(lost),
    },
    new AbortController().signal,
  );
  expect(pauses).toEqual([1]);
  expect(seen.at(-1)).toEqual(['one', 'two']);
});

it('loads fewer lines of each job the more jobs there are', () => {
  expect([1, 4, 100].map(firstLinesOf)).toEqual([5000, 2500, 200]);
});
