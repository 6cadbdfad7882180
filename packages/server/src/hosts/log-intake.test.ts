import type { LogFrame, ServerFrame } from '@dstack/contract/agent';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LogIntake, type LogIntakeOptions } from './log-intake.ts';

const JOB = '11111111-1111-4111-8111-111111111111';
const job = { ref: { project: 'main', run: 'train', jobId: JOB }, runId: 'run' };
const SYNC_MS = 1000;

/** A log store and a database, each of which can fail for a while. */
function outside() {
  const state = { length: 0, synced: 0, full: false, broken: false, noDatabase: false };
  const sent: ServerFrame[] = [];
  const ends: number[] = [];
  const logs = {
    async append(_: unknown, offset: number, __: number, bytes: Uint8Array) {
      if (offset > state.length) return { length: state.length, gapFrom: state.length };
      state.length = Math.max(state.length, offset + bytes.length);
      return { length: state.length, gapFrom: null };
    },
    async sync() {
      if (state.broken) throw new Error('the disk does not answer');
      if (state.full) return {};
      state.synced = state.length;
      return { [JOB]: state.length };
    },
    async skip() {},
    async end() {},
  } as unknown as LogIntakeOptions['logs'];
  const reports = {
    async saveLogEnd(_: string, end: number) {
      if (state.noDatabase) throw new Error('the database does not answer');
      ends.push(end);
    },
  };
  const store = { reports } as unknown as LogIntakeOptions['store'];
  const send = (frame: ServerFrame) => void sent.push(frame);
  const intake = new LogIntake({ logs, store, send, log: pino({ level: 'silent' }) });
  return { state, sent, ends, intake };
}

const frame = (offset: number, text: string): LogFrame => ({
  id: JOB,
  offset,
  time: 1,
  bytes: Buffer.from(text),
});

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it('requests the bytes that are missing before a piece, and does not store the piece', async () => {
  const { intake, state } = outside();
  expect(await intake.take(job, frame(5, 'late'))).toEqual({ rewindTo: 0 });
  expect(state.length).toBe(0);
});

it('acknowledges durable bytes once a second, and at once at the end', async () => {
  const { intake, sent, ends } = outside();
  await intake.take(job, frame(0, 'one'));
  await intake.take(job, frame(3, 'two'));
  expect(sent).toEqual([]);
  await vi.advanceTimersByTimeAsync(SYNC_MS);
  expect(sent).toEqual([{ type: 'ack', logs: { [JOB]: 6 } }]);
  expect(await intake.ended(job, 9)).toBe(false);
  expect(ends).toEqual([]);
  await intake.take(job, frame(6, 'end'));
  expect(ends).toEqual([9]);
});

it('tries a full store again until it has space, without further output', async () => {
  const { intake, state, ends } = outside();
  await intake.take(job, frame(0, 'all'));
  state.full = true;
  await intake.ended(job, 3);
  await vi.advanceTimersByTimeAsync(3 * SYNC_MS);
  expect(ends).toEqual([]);
  state.full = false;
  await vi.advanceTimersByTimeAsync(SYNC_MS);
  expect(ends).toEqual([3]);
});

it('tries a broken store again, and notifies the engine, which ends the job', async () => {
  const { intake, state, sent, ends } = outside();
  await intake.take(job, frame(0, 'all'));
  state.broken = true;
  await vi.advanceTimersByTimeAsync(2 * SYNC_MS);
  expect(sent).toEqual([]);
  await expect(intake.ended(job, 3)).rejects.toThrow('does not answer');
  state.broken = false;
  await vi.advanceTimersByTimeAsync(SYNC_MS);
  await intake.ended(job, 3);
  expect(ends).toEqual([3]);
});

it('reports that a log is complete as soon as the database accepts it, without further output', async () => {
  const { intake, state, ends } = outside();
  state.noDatabase = true;
  await intake.take(job, frame(0, 'all'));
  await expect(intake.ended(job, 3)).rejects.toThrow('does not answer');
  await vi.advanceTimersByTimeAsync(2 * SYNC_MS);
  state.noDatabase = false;
  await vi.advanceTimersByTimeAsync(SYNC_MS);
  expect(ends).toEqual([3]);
});

it('requests the bytes again that the store has dropped, without further output', async () => {
  const { intake, state, sent, ends } = outside();
  await intake.take(job, frame(0, 'one two'));
  state.full = true;
  await intake.ended(job, 7);
  // Another server was the first to write, and this one continues after what that server has
  // stored.
  state.full = false;
  state.length = 3;
  await vi.advanceTimersByTimeAsync(SYNC_MS);
  expect(sent).toContainEqual({ type: 'rewind', id: JOB, offset: 3 });
  await intake.take(job, frame(3, ' two'));
  expect(ends).toEqual([7]);
});

it('returns credit in large pieces', async () => {
  const { intake, sent } = outside();
  const piece = 'x'.repeat(100 * 1024);
  for (let i = 0; i < 3; i++) await intake.take(job, frame(i * piece.length, piece));
  expect(sent).toEqual([{ type: 'credit', id: JOB, bytes: 3 * piece.length }]);
});
