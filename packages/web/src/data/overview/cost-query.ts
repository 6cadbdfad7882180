import type { Client } from '@dstack/client';
import type { CostReport } from '@dstack/contract/wire';
import { queryOptions } from '@tanstack/react-query';

const DAY_MS = 86_400_000;

/** Costs grow all the time, without a change that is reported. */
const REFRESH_MS = 60_000;

/** The cost of jobs on each of the last `days` days in UTC, today included. */
export function dailyCostQuery(client: Client, project: string | null, days: number) {
  return queryOptions<CostReport>({
    queryKey: ['cost', project, days],
    queryFn: () => {
      const today = Math.floor(Date.now() / DAY_MS) * DAY_MS;
      const since = new Date(today - (days - 1) * DAY_MS).toISOString();
      return client.server.cost({ project_name: project, since, by: 'day' });
    },
    refetchInterval: REFRESH_MS,
    staleTime: REFRESH_MS,
    retry: false,
  });
}
