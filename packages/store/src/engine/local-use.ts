import type { LocalUse } from '@dstack/core';
import type { Tx } from '../context.ts';
import { notDeleted } from '../query.ts';
import type { RecordCache } from '../record-cache.ts';
import { instanceTable } from '../schema/work-tables.ts';

/** Instances of the `local` backend in all projects. */
export async function localUse(
  tx: Tx,
  records: RecordCache,
): Promise<{ readonly localInstances: number; readonly localBusy: readonly LocalUse[] }> {
  const keys = await tx
    .selectFrom('instances')
    .select(['id', 'version', 'busy_blocks'])
    .where('backend', '=', 'local')
    .where(notDeleted('deleted'))
    .where('status', '!=', 'terminated')
    .execute();
  const busy = keys.filter((key) => key.busy_blocks > 0);
  return {
    localInstances: keys.length,
    localBusy: (await records.read(tx, instanceTable, busy)).map(
      ({ backend, offer, totalBlocks, busyBlocks }) => ({
        backend,
        offer,
        totalBlocks,
        busyBlocks,
      }),
    ),
  };
}
