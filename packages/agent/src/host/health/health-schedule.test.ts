import { describe, expect, it } from 'vitest';
import {
  afterRun,
  type CheckOutcome,
  type CheckState,
  firstState,
  hurried,
} from './health-schedule.ts';

const PERIOD = 60_000;
const complete: CheckOutcome = {
  kind: 'complete',
  finding: { status: 'failure', message: 'GPU 0 is lost' },
};
const incomplete: CheckOutcome = { kind: 'incomplete', problem: 'nvidia-smi does not end' };

function run(state: CheckState, outcome: CheckOutcome, tookMs = 10, endedAt = 0): CheckState {
  return afterRun(state, outcome, { endedAt, tookMs, periodMs: PERIOD });
}

describe('a check', () => {
  it('is due at once, and again after its period', () => {
    expect(firstState(5)).toMatchObject({ dueAt: 5, finding: null });
    expect(run(firstState(5), complete, 10, 100)).toMatchObject({
      ...{ ranAt: 100, dueAt: 100 + PERIOD },
      finding: { status: 'failure', message: 'GPU 0 is lost' },
    });
  });

  it.each([
    [60, 1],
    [300, 5],
    [3600, 30],
    [600_000, 30],
  ])('that takes %d ms waits for %d periods', (tookMs, periods) => {
    expect(run(firstState(0), complete, tookMs).delay).toBe(periods * PERIOD);
  });

  it('that cannot be carried out is tried after a growing delay, and counts as failed in the end', () => {
    const seen: [number, string | undefined][] = [];
    let state = firstState(0);
    for (let i = 0; i < 7; i++) {
      state = run(state, incomplete);
      seen.push([state.delay / PERIOD, state.finding?.status]);
    }
    expect(seen).toEqual([
      [1, 'warning'],
      [2, 'warning'],
      [4, 'failure'],
      [8, 'failure'],
      [16, 'failure'],
      [30, 'failure'],
      [30, 'failure'],
    ]);
    expect(state.finding?.message).toBe(
      'the check could not be carried out: nvidia-smi does not end',
    );
    expect(run(state, complete)).toMatchObject({ delay: PERIOD, incomplete: 0 });
  });

  it('that is requested early runs at once, but not twice in a period', () => {
    const slow = run(firstState(0), complete, 600_000, 1000);
    expect(hurried(slow, 2000, PERIOD).dueAt).toBe(1000 + PERIOD);
    expect(hurried(slow, 500_000, PERIOD).dueAt).toBe(500_000);
    const early = { ...slow, dueAt: 1500 };
    expect(hurried(early, 1200, PERIOD).dueAt).toBe(1500);
  });
});
