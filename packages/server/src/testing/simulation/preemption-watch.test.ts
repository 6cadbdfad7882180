import type { Change, EngineSettings, EvictionRecord, JobRecord, RunRecord } from '@dstack/core';
import { jobRecord, runRecord } from '@dstack/core/testing';
import { beforeEach, expect, test } from 'vitest';
import { PreemptionWatch } from './preemption-watch.ts';
import type { QuotaWatch } from './quota-watch.ts';

const EVICTION: EvictionRecord = {
  ...{ runId: 'asks', replicaNum: 0, kind: 'priority', requestedAt: 1, seconds: 60 },
};

const asked: Change = {
  ...{ type: 'job.update', id: 'runs-job', version: 0 },
  set: { eviction: EVICTION },
};

let breaches: string[] = [];

beforeEach(() => {
  breaches = [];
});

/** Two runs of one project; the one that runs is asked to leave for the one that waits. */
function ask(priorities: { readonly [run in 'runs' | 'asks']: number }): void {
  const runs = new Map<string, RunRecord>(
    Object.entries(priorities).map(([id, priority]) => [id, runRecord({ id, name: id, priority })]),
  );
  // As their runs were submitted.
  const job = (runId: string, part: Partial<JobRecord>) =>
    jobRecord({ id: `${runId}-job`, name: `${runId}-0-0`, runId, priority: 50, ...part });
  const jobs = [job('runs', { status: 'running', eviction: EVICTION }), job('asks', {})];
  const watch = new PreemptionWatch({
    jobs: () => jobs,
    run: (id) => runs.get(id) ?? null,
    quotas: {} as QuotaWatch,
    settings: {} as EngineSettings,
    now: () => 1,
    steadySince: () => 0,
    onBreach: ({ message }) => breaches.push(message),
  });
  watch.applied([asked]);
}

test('a job that has to leave is no breach once its run has a lower priority, or the one that waits a higher one', () => {
  ask({ runs: 23, asks: 50 });
  ask({ runs: 50, asks: 51 });
  expect(breaches).toEqual([]);
});

test('a job that has to leave for a run of no higher priority is a breach, whatever its jobs have', () => {
  ask({ runs: 50, asks: 50 });
  ask({ runs: 70, asks: 60 });
  const text = 'invariant 18: runs-0-0#0 has to leave for asks-0-0, of no lower priority';
  expect(breaches).toEqual([text, text]);
});
