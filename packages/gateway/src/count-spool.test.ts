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

it('sends again, as the same batch, what was not confirmed: by a process that is killed or goes on', () => {
  const state = new StoredState(dir);
  const sent: Parameters<SendCounts>[0][] = [];
  let isThere = true;
  let now = Date.now();
  const spool = new CountSpool(
    state,
    (frame) => isThere && sent.push(frame) > 0,
    () => now,
  );
  spool.add(counted(2), ['run']);
  // Meanwhile the server stores it, and is killed before it confirms.
  isThere = false;
  spool.add(counted(3), []);
  now += 5000;
  spool.flush();
  state.flush();
  const after: Parameters<SendCounts>[0][] = [];
  const next = new CountSpool(new StoredState(dir), (frame) => after.push(frame) > 0);
  for (const [one, frames] of [
    [spool, sent],
    [next, after],
  ] as const) {
    isThere = true;
    one.connected();
    expect(frames.at(-1)).toMatchObject({ counts: counted(2), waiting: ['run'] });
    expect(frames.at(-1)?.batch).toBe(sent[0]?.batch);
    one.counted({ type: 'counted', n: frames.at(-1)?.n ?? 0 });
    one.flush();
    expect(frames.at(-1)).toMatchObject({ counts: counted(3), waiting: [] });
    expect(frames.at(-1)?.batch).not.toBe(sent[0]?.batch);
  }
});

it('sends again what the server does not confirm although it is there', () => {
  const sent: Parameters<SendCounts>[0][] = [];
  let now = Date.now();
  const send: SendCounts = (frame) => sent.push(frame) > 0;
  const spool = new CountSpool(new StoredState(dir), send, () => now);
  spool.add(counted(1), []);
  spool.flush();
  spool.flush();
  expect(sent).toHaveLength(1);
  now += 5000;
  spool.flush();
  expect(sent).toMatchObject([{ n: 1 }, { n: 2, batch: sent[0]?.batch, counts: counted(1) }]);
});
