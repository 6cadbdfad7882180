import type { LocalUse } from '@dstack/core';
import type { Tx } from '../context.ts';
import { notDeleted } from '../query.ts';
import { instanceTable } from '../schema/work-tables.ts';

/** Instances of the `local` backend in all projects: few, since one machine holds them. */
export async function localUse(
  tx: Tx,
): Promise<{ readonly localInstances: number; readonly localBusy: readonly LocalUse[] }> {
  const rows = await tx
    .selectFrom('instances')
    .selectAll()
    .where('backend', '=', 'local')
    .where(notDeleted('deleted'))
    .where('status', '!=', 'terminated')
    .execute();
  const instances = rows.map(instanceTable.decode);
  return {
    localInstances: instances.length,
    localBusy: instances
      .filter((instance) => instance.busyBlocks > 0)
      .map(({ backend, offer, totalBlocks, busyBlocks }) => {
        return { backend, offer, totalBlocks, busyBlocks };
      }),
  };
}
