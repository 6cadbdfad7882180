import type { Job, Run } from '@dstack/contract/wire';
import { useQueries } from '@tanstack/react-query';
import { useMemo } from 'react';
import { jobMetricsQuery } from '../../data/metrics/metric-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { combinedResults } from './combined-results.ts';
import { jobCharts } from './job-charts.ts';
import type { NodeMetrics } from './node-charts.ts';

export interface JobsMetrics {
  /** The charts of the jobs whose measurements have been loaded. */
  readonly nodes: readonly NodeMetrics[];
  readonly isLoading: boolean;
  /** The error of the first job whose measurements could not be loaded; null: there is none. */
  readonly error: unknown;
  readonly retry: () => void;
}

/** The measurements of the latest attempts of these jobs; `minutes` back from now, null: all. */
export function useJobMetrics(run: Run, jobs: readonly Job[], minutes: number | null): JobsMetrics {
  const client = useClient();
  const targets = jobs.flatMap(({ job_spec, job_submissions }) => {
    const latest = job_submissions.at(-1);
    if (latest === undefined) return [];
    return {
      project: run.project_name,
      run: run.run_spec.run_name ?? '',
      runId: run.id,
      replica: job_spec.replica_num,
      job: job_spec.job_num,
      submission: latest.id,
      name: job_spec.job_name,
    };
  });
  const results = useQueries({
    queries: targets.map((target) => jobMetricsQuery(client, target, minutes)),
    combine: combinedResults,
  });
  const { answers } = results;
  const names = targets.map(({ name }) => name).join('\n');
  const nodes = useMemo(
    () =>
      answers.flatMap((answer, index) =>
        answer === undefined
          ? []
          : [{ job: names.split('\n')[index] ?? '', charts: jobCharts(answer) }],
      ),
    [answers, names],
  );
  return { nodes, isLoading: results.isLoading, error: results.error, retry: results.retry };
}
