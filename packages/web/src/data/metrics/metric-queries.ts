import type { Client } from '@dstack/client';
import type { JobMetrics } from '@dstack/contract/wire';
import { keepPreviousData, queryOptions } from '@tanstack/react-query';

export interface MetricTarget {
  readonly project: string;
  readonly run: string;
  readonly runId: string;
  readonly replica: number;
  readonly job: number;
}

/** Measurements are taken every ten seconds; this is more than four days of them. */
const MOST = 40_000;

/** The measurements of a job; `minutes` back from now, null: all. */
export function jobMetricsQuery(client: Client, target: MetricTarget, minutes: number | null) {
  return queryOptions<JobMetrics>({
    queryKey: ['metrics', target, minutes],
    queryFn: () =>
      client.project(target.project).metrics.job(target.run, {
        run_id: target.runId,
        replica_num: target.replica,
        job_num: target.job,
        limit: MOST,
        ...(minutes === null
          ? {}
          : { after: new Date(Date.now() - minutes * 60_000).toISOString() }),
      }),
    meta: { refreshed: 'regularly' },
    placeholderData: keepPreviousData,
  });
}
