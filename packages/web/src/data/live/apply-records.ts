import type { Fleet, Gateway, Instance, Volume } from '@dstack/contract/wire';
import type { QueryClient, QueryKey } from '@tanstack/react-query';

type StreamedRecord = Fleet | Instance | Volume | Gateway;

/**
 * Writes a changed record into the lists and the page that have it: rows change in place. Returns the keys
 * of lists that do not have it yet, which only the server can put into its place.
 */
export function applyRecord(
  cache: QueryClient,
  type: 'fleet' | 'instance' | 'volume' | 'gateway',
  record: StreamedRecord,
): readonly QueryKey[] {
  for (const { queryKey } of cache.getQueryCache().findAll({ queryKey: [type, 'one'] })) {
    cache.setQueryData<StreamedRecord>(queryKey, (known) =>
      known?.id === record.id ? record : known,
    );
  }
  const without: QueryKey[] = [];
  for (const { queryKey } of cache.getQueryCache().findAll({ queryKey: [type, 'list'] })) {
    const list = cache.getQueryData<readonly StreamedRecord[]>(queryKey);
    if (list === undefined) continue;
    if (!list.some(({ id }) => id === record.id)) without.push(queryKey);
    else cache.setQueryData(queryKey, withRecord(list, record));
  }
  return without;
}

/** Fleets contain their instances. False: no fleet that is loaded has this instance. */
export function applyToFleets(cache: QueryClient, instance: Instance): boolean {
  let isKnown = false;
  const changed = (fleet: Fleet): Fleet => {
    if (!fleet.instances.some(({ id }) => id === instance.id)) return fleet;
    isKnown = true;
    return { ...fleet, instances: [...withRecord(fleet.instances, instance)] };
  };
  for (const { queryKey } of cache.getQueryCache().findAll({ queryKey: ['fleet', 'list'] })) {
    cache.setQueryData<readonly Fleet[]>(queryKey, (fleets) => fleets?.map(changed));
  }
  for (const { queryKey } of cache.getQueryCache().findAll({ queryKey: ['fleet', 'one'] })) {
    cache.setQueryData<Fleet>(queryKey, (fleet) => fleet && changed(fleet));
  }
  return isKnown;
}

function withRecord<T extends { readonly id: string }>(
  list: readonly T[],
  record: T,
): readonly T[] {
  return list.map((one) => (one.id === record.id ? record : one));
}
