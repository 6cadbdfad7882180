import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { StoredState } from './stored-state.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'dstack-state-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

it('writes later what the disk refuses, and the rest at once', () => {
  const state = new StoredState(dir);
  mkdirSync(join(dir, 'not-plain.json.new'));
  const news = { reported: 'why' };
  state.write('not-plain', news);
  state.write('callers', []);
  state.flush();
  const stored = new StoredState(dir);
  expect([stored.read('not-plain'), stored.read('callers')]).toEqual([null, []]);
  rmSync(join(dir, 'not-plain.json.new'), { recursive: true });
  state.flush();
  expect(stored.read('not-plain')).toEqual(news);
});
