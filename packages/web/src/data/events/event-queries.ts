import type { Client, ListEventsQuery } from '@dstack/client';
import type { Event } from '@dstack/contract/wire';
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';

/** Events about something, and about what belongs to it. */
export type EventSelection = Omit<
  ListEventsQuery,
  'prev_recorded_at' | 'prev_id' | 'limit' | 'ascending'
>;

const PAGE = 100;

/** Events, newest first, page after page. */
export function eventList(client: Client, filter: EventSelection) {
  return infiniteQueryOptions({
    queryKey: ['event', 'list', filter],
    queryFn: ({ pageParam }) =>
      client.server.listEvents({ ...filter, ...pageParam, limit: PAGE }) as Promise<
        readonly Event[]
      >,
    initialPageParam: {} as { readonly prev_recorded_at?: string; readonly prev_id?: string },
    getNextPageParam: (page) => {
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) return null;
      return { prev_recorded_at: last.recorded_at, prev_id: last.id };
    },
  });
}

/** The latest events of a run and its jobs: enough for its timeline. */
export function runEvents(client: Client, runId: string) {
  return queryOptions<readonly Event[]>({
    queryKey: ['run', 'events', runId],
    queryFn: () =>
      client.server.listEvents({ within_runs: [runId], limit: PAGE, ascending: false }),
  });
}
