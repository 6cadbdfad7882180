import type { Run } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { closingLine } from './closing-line.ts';

const PLACE = { backend: 'remote', region: 'local' };

/** A run whose only job had these attempts, each with its place or none. */
function failed(places: readonly (typeof PLACE | null)[]): Run {
  const job_submissions = places.map((job_provisioning_data) => ({
    ...{ status: 'failed', finished_at: '2026-11-24T12:00:12Z', job_provisioning_data },
    exit_status: null,
  }));
  return {
    ...{ status: 'failed', submitted_at: '2026-11-24T12:00:00Z', cost: 0 },
    run_spec: { run_name: 'bb' },
    jobs: [{ job_spec: { job_num: 0, replica_num: 0 }, job_submissions }],
  } as unknown as Run;
}

const line = (run: Run) => closingLine(run, (_style, text) => text);

it('names the output of a run that was started at least once', () => {
  expect(line(failed([PLACE]))).toBe('bb failed in 12s · dstack logs bb');
  expect(line(failed([PLACE, null]))).toBe('bb failed in 12s · dstack logs bb');
});

it('names the explanation of a run that never started, which has no output', () => {
  expect(line(failed([null]))).toBe('bb failed in 12s · dstack explain bb');
  expect(line({ ...failed([]), jobs: [] })).toBe('bb failed · dstack explain bb');
});
