import type { Client } from '@dstack/client';
import type { MeasuredUse } from '@dstack/contract/wire';
import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { batched, type OneOfMany } from '../batches.ts';
import { GLANCE_MS, glanceInTurn } from '../glances.ts';

/** The server answers no more at once. */
const MOST = 100;

/** How busy these instances were in the last minutes. The rows of a list share their requests. */
export function instancesUse(client: Client, ids: readonly string[]) {
  return queryOptions<readonly MeasuredUse[]>({
    queryKey: ['instance-use', ...ids],
    queryFn: async ({ signal }) => {
      const uses = await Promise.all(ids.map((id) => loaderOf(client)(id, signal)));
      return uses.filter((use) => use !== null);
    },
    enabled: ids.length > 0,
    // A report of each measurement of each job would have them asked for all the time.
    meta: { refreshed: 'regularly' },
    // Instances without jobs are not busy any more.
    ...(ids.length > 0 ? { placeholderData: keepPreviousData } : {}),
    gcTime: GLANCE_MS,
    retry: false,
  });
}

const loaders = new WeakMap<Client, OneOfMany<MeasuredUse>>();

function loaderOf(client: Client): OneOfMany<MeasuredUse> {
  const known = loaders.get(client);
  if (known !== undefined) return known;
  const loader = batched(async (ids) => {
    // Each of the rows has a signal of its own.
    const { signal } = new AbortController();
    const uses = await glanceInTurn(() => client.server.recentUse(ids), signal);
    return new Map(uses.map((use) => [use.instance_id, use]));
  }, MOST);
  loaders.set(client, loader);
  return loader;
}
