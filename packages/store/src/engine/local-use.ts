import { type CapacitySnapshot, type LocalState, SERVER_HOST_BACKENDS } from '@dstack/core';
import type { VersionedKey } from '../base/key-list.ts';
import { keyList, parseKeyList } from '../base/key-list.ts';
import { notDeleted } from '../base/query.ts';
import type { RecordCache } from '../caches/record-cache.ts';
import type { Tx } from '../context/context.ts';
import { instanceTable } from '../schema/work-tables.ts';

interface LocalKeys {
  readonly count: number;
  /** Instances that hold jobs, or will hold some soon. */
  readonly busy: readonly VersionedKey[];
  /** Changes whenever `count` or `busy` does. */
  readonly state: string;
}

/** Instances of the `local` backend in all projects. */
export async function localUse(
  tx: Tx,
  records: RecordCache,
): Promise<Pick<CapacitySnapshot, 'localInstances' | 'localBusy'> & LocalState> {
  const { count, busy, state } = await localKeys(tx);
  const instances = await records.read(tx, instanceTable, busy);
  return {
    localInstances: count,
    localBusy: instances.map(({ backend, offer, totalBlocks, busyBlocks }) => ({
      backend,
      offer,
      totalBlocks,
      busyBlocks,
    })),
    localState: state,
  };
}

export async function localKeys(tx: Tx): Promise<LocalKeys> {
  const row = await tx
    .selectFrom('instances')
    .select((eb) => eb.fn.count<number>('id').as('count'))
    .select(keyList({ when: 'busy_blocks > 0' }).as('busy'))
    .where('backend', 'in', SERVER_HOST_BACKENDS)
    .where(notDeleted('deleted'))
    .where('status', '!=', 'terminated')
    .executeTakeFirstOrThrow();
  const busy = parseKeyList(row.busy);
  const keys = busy.map(({ id, version }) => `${id} ${version}`).sort();
  return { count: Number(row.count), busy, state: [row.count, ...keys].join() };
}
