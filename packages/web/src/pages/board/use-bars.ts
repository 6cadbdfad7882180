import { useQuery } from '@tanstack/react-query';
import { instanceJobs } from '../../data/capacity/board-query.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { jobBars, type LanedBar, laned } from '../../domain/capacity/board-bars.ts';
import { type BoardRowData, hasJobs } from './board-rows.ts';

export interface InstanceBars {
  /** The window of maintenance, then the others in the order of their beginnings. */
  readonly bars: readonly LanedBar[];
  readonly total: number;
  /** Why not all jobs are there; null: they are. */
  readonly problem: string | null;
  readonly isLoading: boolean;
}

/** The bars of an instance. Only rows that are drawn ask for its jobs. */
export function useBars(
  project: string,
  { instance, maintenance, queued, tried }: BoardRowData,
  now: number,
): InstanceBars {
  const isAsked = hasJobs(instance);
  const { data, error } = useQuery({
    ...instanceJobs(useClient(), project, instance.id),
    enabled: isAsked,
  });
  const total = Math.max(1, instance.total_blocks ?? 1);
  const jobs = isAsked && data !== undefined ? jobBars(data.jobs, now) : [];
  return {
    // It takes the whole instance; what goes on into it is drawn above.
    bars: [
      ...(maintenance === null ? [] : [{ ...maintenance, lane: 0 }]),
      ...laned([...jobs, ...queued, ...tried], total),
    ],
    total,
    problem: !isAsked
      ? null
      : data?.isIncomplete
        ? 'It has too many jobs to show'
        : data === undefined && error !== null
          ? 'Its jobs could not be loaded'
          : null,
    isLoading: isAsked && data === undefined && error === null,
  };
}
