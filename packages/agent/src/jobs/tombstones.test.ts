import { randomUUID } from 'node:crypto';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Tombstones } from './tombstones.ts';

let dir: string;
let path: string;
beforeEach(() => {
  vi.useFakeTimers();
  dir = mkdtempSync(join(tmpdir(), 'tombstones-'));
  path = join(dir, 'deleted-jobs');
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(dir, { recursive: true });
});

it('keeps ids over restarts, and over steps of the clock', () => {
  const id = randomUUID();
  new Tombstones(path).add(id, Date.now());
  const next = new Tombstones(path);
  expect([next.has(id), next.has(randomUUID())]).toEqual([true, false]);
  for (const days of [2, -2]) {
    vi.setSystemTime(Date.now() + days * 86_400_000);
    next.add(randomUUID(), Date.now());
    expect([next.has(id), new Tombstones(path).has(id)]).toEqual([true, true]);
  }
});

it('loses one id at most to a crash in the middle of a write', () => {
  const [first, second] = [randomUUID(), randomUUID()];
  new Tombstones(path).add(first, Date.now());
  appendFileSync(path, `\n${randomUUID().slice(0, 20)}`);
  new Tombstones(path).add(second, Date.now());
  const read = new Tombstones(path);
  expect([read.size, read.has(first), read.has(second)]).toEqual([2, true, true]);
});

it('stays small in memory and on disk, however many jobs there were', () => {
  const tombstones = new Tombstones(path, 500);
  const ids = Array.from({ length: 4000 }, () => randomUUID());
  for (const id of ids) tombstones.add(id, Date.now());
  expect(tombstones.size).toBe(500);
  expect(tombstones.has(ids.at(-1) ?? '')).toBe(true);
  expect(readFileSync(path, 'utf8').split('\n').length).toBeLessThanOrEqual(2001);
});
