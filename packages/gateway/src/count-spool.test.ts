import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CountSpool, type SendCounts } from './count-spool.ts';
import { StoredState } from './stored-state.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'dstack-counts-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const second = Math.floor(Date.now() / 1000);
const counted = (requests: number) => [{ run_id: 'run', second, requests }];

it('keeps counts on the disk while the server is away, and delivers them once', () => {
  const state = new StoredState(dir);
  const away = new CountSpool(state, () => false);
  away.add(counted(2), []);
  away.add(counted(3), []);
  away.flush();
  state.flush();
  // Its process is killed.
  const sent: Parameters<SendCounts>[0][] = [];
  const next = new CountSpool(new StoredState(dir), (frame) => sent.push(frame) > 0);
  next.connected();
  expect(sent).toMatchObject([{ n: 1, counts: counted(5) }]);
  next.counted({ type: 'counted', n: 1 });
  next.connected();
  expect(sent).toHaveLength(1);
  expect(new StoredState(dir).read('counts')).toBeNull();
});

it('does not leave confirmed counts on the disk', () => {
  const state = new StoredState(dir);
  let isThere = false;
  const spool = new CountSpool(state, () => isThere);
  spool.add(counted(1), []);
  spool.flush();
  isThere = true;
  spool.connected();
  spool.counted({ type: 'counted', n: 2 });
  state.flush();
  expect(new StoredState(dir).read('counts')).toBeNull();
});
