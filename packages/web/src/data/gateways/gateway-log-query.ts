import type { Client } from '@dstack/client';
import { queryOptions } from '@tanstack/react-query';
import { isRefusal } from '../session/refusal.ts';
import { type GatewayLog, MOST_LINES, NO_LOG, pollDelay, withAnswer } from './gateway-log.ts';

export interface LogOfGateway {
  readonly project: string;
  readonly name: string;
  /** Null: all. */
  readonly replica: number | null;
}

/** Lines of each replica in the first answer. */
const FIRST_LINES = 100;

/**
 * The logs of the replicas of a gateway. Each request continues where the last answer ended. Without `follow`
 * there is only one request. Hidden pages send none, and continue at once when they are shown again.
 */
export function gatewayLogQuery(
  client: Client,
  { project, name, replica }: LogOfGateway,
  follow: boolean,
) {
  const queryKey = ['gateway-log', project, name, replica] as const;
  return queryOptions<GatewayLog>({
    queryKey,
    queryFn: async ({ client: cache }) => {
      const log = cache.getQueryData<GatewayLog>(queryKey);
      const place =
        log === undefined
          ? { lines: FIRST_LINES, after: null }
          : { lines: MOST_LINES, after: log.positions };
      const answer = await client.project(project).gateways.logs(name, { replica, ...place });
      return withAnswer(log ?? NO_LOG, answer);
    },
    enabled: ({ state }) => follow || state.data === undefined,
    staleTime: 0,
    retry: false,
    refetchInterval: ({ state: { data, error } }) =>
      !follow || isRefusal(error) ? false : pollDelay(data, error !== null),
    meta: { refreshed: 'by itself' },
  });
}
