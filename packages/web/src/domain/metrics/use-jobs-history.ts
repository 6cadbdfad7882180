import type { Job, Run } from '@dstack/contract/wire';
import { useQueries } from '@tanstack/react-query';
import { useMemo } from 'react';
import { type HistoryTarget, metricsHistoryQuery } from '../../data/metrics/metrics-history.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { combinedResults } from './combined-results.ts';
import { jobCharts } from './job-charts.ts';
import type { NodeMetrics } from './node-charts.ts';

/** Jobs of a run, not more than are asked for together. */
export interface JobsOfRun {
  readonly run: Run;
  readonly jobs: readonly Job[];
}

export interface JobsHistory {
  /** For each run in its order, the charts of the jobs that have measurements. */
  readonly runs: readonly (readonly NodeMetrics[])[];
  /** The longest step of them, in seconds. */
  readonly step: number;
  readonly isLoading: boolean;
  /** The error of the first run whose measurements could not be loaded; null: there is none. */
  readonly error: unknown;
  readonly retry: () => void;
}

/** The measurements of these jobs' latest attempts, in equal steps; `minutes` back from now, null: all. */
export function useJobsHistory(wanted: readonly JobsOfRun[], minutes: number | null): JobsHistory {
  const client = useClient();
  const targets = wanted.map(targetOf);
  const { answers, ...rest } = useQueries({
    queries: targets.map((target) => metricsHistoryQuery(client, target, minutes)),
    combine: combinedResults,
  });
  const names = JSON.stringify(targets.map(({ jobs }) => jobs));
  const runs = useMemo(() => {
    const ofRuns = JSON.parse(names) as readonly (readonly NamedJob[])[];
    return ofRuns.map((jobs, index) =>
      jobs.flatMap(({ name, submission }) => {
        const metrics = answers[index]?.metrics[submission];
        return metrics === undefined ? [] : [{ job: name, charts: jobCharts(metrics) }];
      }),
    );
  }, [answers, names]);
  const step = Math.max(0, ...answers.map((answer) => (answer?.step ?? 0) / 1000));
  return { runs, step, ...rest };
}

type NamedJob = HistoryTarget['jobs'][number] & { readonly name: string };

function targetOf({ run, jobs }: JobsOfRun) {
  return {
    project: run.project_name,
    runId: run.id,
    jobs: jobs.flatMap(({ job_spec, job_submissions }): NamedJob[] => {
      const submission = job_submissions.at(-1)?.id;
      if (submission === undefined) return [];
      const { replica_num: replica, job_num: job, job_name: name } = job_spec;
      return [{ replica, job, submission, name }];
    }),
  };
}
