import type { Client } from '@dstack/client';
import type { JobMetrics } from '@dstack/contract/wire';
import { queryOptions } from '@tanstack/react-query';
import { turns } from '../turns.ts';
import { joinedMetrics, newestTime } from './joined-metrics.ts';

export interface MetricTarget {
  readonly project: string;
  readonly run: string;
  readonly runId: string;
  readonly replica: number;
  readonly job: number;
  /** The server has the measurements of the latest one; those of others must not be mixed with them. */
  readonly submission: string;
}

/** Measurements are taken every ten seconds; this is more than four days of them. */
const MOST = 40_000;

/** Charts of several jobs, and of the rows of a list, load side by side. */
const inTurn = turns(4);

/**
 * The measurements of a job; `minutes` back from now, null: all. Later requests ask only for what is new:
 * a day of a host with eight GPUs is several megabytes.
 */
export function jobMetricsQuery(client: Client, target: MetricTarget, minutes: number | null) {
  const { project, run, runId, replica, job, submission } = target;
  return queryOptions<JobMetrics>({
    queryKey: ['metrics', submission, minutes],
    queryFn: async ({ client: cache, queryKey, signal }) => {
      const from = minutes === null ? null : Date.now() - minutes * 60_000;
      const known = cache.getQueryData<JobMetrics>(queryKey);
      const newest = known === undefined ? null : newestTime(known);
      const isKnown = newest !== null && Date.parse(newest) > (from ?? 0);
      const after = isKnown ? newest : from === null ? null : new Date(from).toISOString();
      const asked = { run_id: runId, replica_num: replica, job_num: job, limit: MOST };
      const loaded = await inTurn(
        () =>
          client.project(project).metrics.job(run, after === null ? asked : { ...asked, after }),
        signal,
      );
      return isKnown && known !== undefined ? joinedMetrics(known, loaded, from ?? 0) : loaded;
    },
    meta: { refreshed: 'regularly' },
    // Those of another time stay until the new ones are there; those of another job do not.
    placeholderData: (before, query) => (query?.queryKey[1] === submission ? before : undefined),
  });
}
