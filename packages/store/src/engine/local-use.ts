import type { CapacitySnapshot } from '@dstack/core';
import type { Tx } from '../context.ts';
import { keyList, parseKeyList } from '../key-list.ts';
import { notDeleted } from '../query.ts';
import type { RecordCache } from '../record-cache.ts';
import { instanceTable } from '../schema/work-tables.ts';

/** Instances of the `local` backend in all projects. */
export async function localUse(
  tx: Tx,
  records: RecordCache,
): Promise<Pick<CapacitySnapshot, 'localInstances' | 'localBusy'>> {
  const { count, busy } = await tx
    .selectFrom('instances')
    .select((eb) => eb.fn.count<number>('id').as('count'))
    .select(keyList({ when: 'busy_blocks > 0' }).as('busy'))
    .where('backend', '=', 'local')
    .where(notDeleted('deleted'))
    .where('status', '!=', 'terminated')
    .executeTakeFirstOrThrow();
  const instances = await records.read(tx, instanceTable, parseKeyList(busy));
  return {
    localInstances: count,
    localBusy: instances.map(({ backend, offer, totalBlocks, busyBlocks }) => ({
      backend,
      offer,
      totalBlocks,
      busyBlocks,
    })),
  };
}
