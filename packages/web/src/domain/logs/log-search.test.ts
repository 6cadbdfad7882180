import { expect, it } from 'vitest';
import { LogLineReader } from './line-reader.ts';
import { findHits, LogSearch, nextHit } from './log-search.ts';

const lines = new LogLineReader().read(
  new TextEncoder().encode('Epoch 1\n\x1b[31mERROR\x1b[0m at epoch 2, Epoch 3\nnothing\n'),
);

it('finds all places, ignoring case and colours', () => {
  expect(findHits(lines, 'EPOCH')).toEqual([
    { line: 0, from: 0, to: 5 },
    { line: 1, from: 9, to: 14 },
    { line: 1, from: 18, to: 23 },
  ]);
  expect(findHits(lines, 'error at')).toHaveLength(1);
  expect(findHits(lines, '')).toEqual([]);
});

it('goes around the end', () => {
  expect([nextHit(3, -1, 1), nextHit(3, 2, 1), nextHit(3, 0, -1), nextHit(0, 5, 1)]).toEqual([
    0, 0, 2, -1,
  ]);
});

it('finds in lines that arrive later, at both ends, each once', () => {
  const search = new LogSearch('epoch');
  const line = (id: number, text: string) => ({ ...lines[0]!, id, text });
  const places = (list: ReturnType<typeof line>[]) => search.update(list).map((hit) => hit.line);
  const log = [line(0, 'epoch 0'), line(1, 'epo')];
  expect(places(log)).toEqual([0]);
  const longer = [line(0, 'epoch 0'), line(1, 'epoch 1'), line(2, 'epoch 2, epoch')];
  expect(places(longer)).toEqual([0, 1, 2, 2]);
  const older = [line(-2, 'epoch'), line(-1, 'x'), ...longer, line(3, 'y')];
  expect(places(older)).toEqual([-2, 0, 1, 2, 2]);
  expect(search.update(older)).toBe(search.update(older));
});
