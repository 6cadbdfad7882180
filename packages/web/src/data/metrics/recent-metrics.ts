import type { Client } from '@dstack/client';
import type { JobMetrics } from '@dstack/contract/wire';
import { queryOptions } from '@tanstack/react-query';
import { GLANCE_MS, glanceInTurn } from '../glances.ts';
import type { MetricTarget } from './metric-queries.ts';

/** One of the many small requests that the rows of a table make. */
export interface GlanceTarget extends MetricTarget {
  readonly submission: string;
}

export const RECENT_MINUTES = 15;
/** One measurement every ten seconds. */
const MOST = RECENT_MINUTES * 6;

/** The stream of changes has this key asked for again as soon as new measurements are stored. */
export const recentMetricsKey = (submission: string) => ['recent-metrics', submission] as const;

/** The last measurements of a job, limited by number: the clock of the browser may be wrong. */
export function recentMetrics(client: Client, target: GlanceTarget) {
  return queryOptions<JobMetrics>({
    queryKey: recentMetricsKey(target.submission),
    queryFn: ({ signal }) =>
      glanceInTurn(
        () =>
          client.project(target.project).metrics.job(target.run, {
            run_id: target.runId,
            replica_num: target.replica,
            job_num: target.job,
            limit: MOST,
          }),
        signal,
      ),
    gcTime: GLANCE_MS,
  });
}
