import type { JobState } from '@dstack/contract/agent';
import type { Signal } from '@dstack/core';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { JobIntake, type JobIntakeOptions } from './job-intake.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const RUN: Signal[] = [{ kind: 'run', id: 'run' }];
const exited = { id: 'job', phase: 'exited', log_end: 3 } as JobState;

/** An intake with this end of logs, and the signals that it sends itself. */
function intakeOf(ended: () => Promise<boolean>) {
  const signals: Signal[] = [];
  const saved: string[] = [];
  const add = (more: readonly Signal[] = []) => void signals.push(...more);
  const store = {
    engine: { signal: async (more: readonly Signal[]) => add(more) },
    reports: {
      async saveState(_: string, { phase }: JobState, __: number, extras?: { signals: Signal[] }) {
        saved.push(phase);
        add(extras?.signals);
      },
    },
  };
  const intake = new JobIntake({
    ...{ hostId: 'host', store, intake: { ended }, onState: () => {}, now: () => 1 },
    streams: { find: async () => ({ runId: 'run', ref: { jobId: 'job' } }) },
    log: pino({ level: 'silent' }),
  } as unknown as JobIntakeOptions);
  return { intake, signals, saved };
}

it('signals the run of a job that goes on', async () => {
  const { intake, signals } = intakeOf(async () => false);
  await intake.states([{ ...exited, phase: 'running' } as JobState]);
  expect(signals).toEqual(RUN);
});

it('leaves the signal of an end to its complete output, so that the run has one pass for both', async () => {
  const { intake, signals, saved } = intakeOf(async () => true);
  await intake.states([exited]);
  expect(saved).toEqual(['exited']);
  expect(signals).toEqual([]);
});

it('signals an end whose output is still to come', async () => {
  const { intake, signals } = intakeOf(async () => false);
  await intake.states([exited]);
  expect(signals).toEqual(RUN);
});

it('signals an end whose output cannot be stored', async () => {
  const failed = intakeOf(async () => {
    throw new Error('the disk is full');
  });
  await expect(failed.intake.states([exited])).rejects.toThrow('full');
  expect(failed.signals).toEqual(RUN);
});

it('signals an end while the store of logs does not answer', async () => {
  const { intake, signals } = intakeOf(() => new Promise(() => {}));
  void intake.states([exited]);
  await vi.advanceTimersByTimeAsync(2000);
  expect(signals).toEqual(RUN);
});
