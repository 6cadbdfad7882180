import type { Client } from '@dstack/client';
import type { JobMetrics, MetricsHistory } from '@dstack/contract/wire';
import { queryOptions } from '@tanstack/react-query';

export interface HistoryTarget {
  readonly project: string;
  readonly runId: string;
  /** At most `MOST_TOGETHER`. */
  readonly jobs: readonly {
    readonly replica: number;
    readonly job: number;
    readonly submission: string;
  }[];
}

/** The server answers for no more jobs at once. */
export const MOST_TOGETHER = 16;

interface History {
  /** ms */
  readonly step: number;
  /** ms since 1970 */
  readonly loadedAt: number;
  /** By submission. */
  readonly metrics: Readonly<Record<string, JobMetrics>>;
}

/**
 * The measurements of several jobs of a run, in steps so long that the answer stays small; `minutes` back
 * from now, null: all. They are not requested again before there can be a new step.
 */
export function metricsHistoryQuery(
  client: Client,
  { project, runId, jobs }: HistoryTarget,
  minutes: number | null,
) {
  return queryOptions<History>({
    queryKey: ['metrics-history', minutes, ...jobs.map(({ submission }) => submission)],
    queryFn: async ({ client: cache, queryKey }) => {
      const now = Date.now();
      const known = cache.getQueryData<History>(queryKey);
      if (known !== undefined && now - known.loadedAt < known.step) return known;
      const answer = await client.project(project).metrics.history({
        run_id: runId,
        jobs: jobs.map(({ replica, job }) => ({ replica_num: replica, job_num: job })),
        after: minutes === null ? null : new Date(now - minutes * 60_000).toISOString(),
      });
      return { step: answer.step_seconds * 1000, loadedAt: now, metrics: metricsOfJobs(answer) };
    },
    enabled: jobs.length > 0,
    meta: { refreshed: 'regularly' },
  });
}

/** In the form that measurements of one job have: newest first, each with its times. */
function metricsOfJobs({ jobs }: MetricsHistory): Readonly<Record<string, JobMetrics>> {
  return Object.fromEntries(
    jobs.map(({ job_submission_id, timestamps, metrics }) => {
      const times = timestamps.toReversed();
      const series = metrics.map(({ name, values }) => ({
        ...{ name, timestamps: times },
        values: values.toReversed(),
      }));
      return [job_submission_id, { metrics: series }];
    }),
  );
}
