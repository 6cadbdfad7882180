import { expect, it } from 'vitest';
import { PLAIN } from './ansi.ts';
import type { LogLine } from './line-reader.ts';
import { MergedLines } from './merged-lines.ts';

const line = (id: number, time: number | null, text = `${id}`): LogLine => ({
  ...{ id, time, text },
  ...{ style: PLAIN, offset: id * 10, isNote: false },
});
const closed = (lines: readonly LogLine[]) => ({ lines, isOpen: false });
const shown = (lines: readonly { source: number; text: string }[]) =>
  lines.map(({ source, text }) => `${source}:${text}`);

it('has the lines of all logs in the order of their times', () => {
  const merged = new MergedLines();
  const a = [line(0, 10), line(1, 30), line(2, null), line(3, 50)];
  const b = [line(0, 20), line(1, 40)];
  expect(shown(merged.update([a, b].map(closed), 100))).toEqual([
    '0:0',
    '1:0',
    '0:1',
    '0:2',
    '1:1',
    '0:3',
  ]);
});

it('keeps the ids of settled lines, and places late lines before those that are not settled', () => {
  const merged = new MergedLines();
  const first = merged.update(
    [
      [line(0, 10), line(1, 60)],
      [line(0, 20), line(1, 55)],
    ].map(closed),
    50,
  );
  expect(shown(first)).toEqual(['0:0', '1:0', '1:1', '0:1']);
  const then = merged.update(
    [
      [line(0, 10), line(1, 60)],
      [line(0, 20), line(1, 55), line(2, 57), line(3, 90)],
    ].map(closed),
    80,
  );
  expect(shown(then)).toEqual(['0:0', '1:0', '1:1', '1:2', '0:1', '1:3']);
  expect(then.slice(0, 2).map(({ id }) => id)).toEqual(first.slice(0, 2).map(({ id }) => id));
  expect(then.map(({ id }) => id)).toEqual([0, 1, 2, 3, 4, 5]);
});

it('forgets the oldest lines beyond a limit', () => {
  const merged = new MergedLines(10);
  const lines = Array.from({ length: 31 }, (_, id) => line(id, id));
  const kept = merged.update([closed(lines)], 1000);
  expect(kept.length).toBeLessThanOrEqual(11);
  expect(kept.at(-1)?.text).toBe('30');
});

it('shows a line that still grows after the settled ones, and settles it when it is complete', () => {
  const merged = new MergedLines();
  const other = closed([line(0, 20), line(1, 30)]);
  const open = merged.update([{ lines: [line(0, 10, '50 %')], isOpen: true }, other], 100);
  expect(shown(open)).toEqual(['1:0', '1:1', '0:50 %']);
  const done = merged.update([closed([line(0, 40, '100 %')]), other], 100);
  expect(shown(done)).toEqual(['1:0', '1:1', '0:100 %']);
});
