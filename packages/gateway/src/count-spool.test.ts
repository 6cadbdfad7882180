import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseGatewayFrame } from '@dstack/contract/agent';
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

it('delivers in several messages what has added up while the server was away, as servers refuse long ones', () => {
  const state = new StoredState(dir);
  const away = new CountSpool(state, () => false);
  const many = Array.from({ length: 12_000 }, (_, n) => ({
    ...{ run_id: randomUUID(), second, requests: n },
  }));
  away.add(many, []);
  away.flush();
  state.flush();
  const sent: Parameters<SendCounts>[0][] = [];
  const spool = new CountSpool(new StoredState(dir), (frame) => sent.push(frame) > 0);
  spool.connected();
  for (let n = 1; n <= 3; n++) {
    expect(parseGatewayFrame(JSON.stringify(sent.at(-1)))).toEqual(sent.at(-1));
    spool.counted({ type: 'counted', n });
    spool.flush();
  }
  expect(sent.flatMap(({ counts }) => counts)).toEqual(many);
});

it('sends a batch of an earlier version that no server takes as smaller ones', () => {
  const counts = Array.from({ length: 12_000 }, () => ({
    ...{ run_id: randomUUID(), second, requests: 1 },
  }));
  const state = new StoredState(dir);
  state.write('sent-counts', { batch: randomUUID(), counts, waiting: [] });
  state.flush();
  const sent: Parameters<SendCounts>[0][] = [];
  new CountSpool(state, (frame) => sent.push(frame) > 0).connected();
  expect(sent[0]?.counts.length).toBeLessThan(10_000);
});

it('keeps a bounded number of counts, the latest ones', () => {
  const state = new StoredState(dir);
  const spool = new CountSpool(state, () => false);
  const counts = Array.from({ length: 60_000 }, (_, n) => ({
    ...{ run_id: `run-${n}`, second, requests: 1 },
  }));
  spool.add(counts, []);
  spool.store();
  state.flush();
  const kept = new StoredState(dir).read('counts') ?? [];
  expect(kept).toHaveLength(50_000);
  expect(kept.at(-1)?.run_id).toBe('run-59999');
});
