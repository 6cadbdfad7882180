import type { Id, VolumeObservationRecord } from '@dstack/core';
import { forIds } from '../base/query.ts';
import type { WriteExtras } from '../base/writes.ts';
import { isForeignKeyViolation } from '../connection/failures.ts';
import type { Db, StoreContext, Tx } from '../context/context.ts';
import { volumeObservationTable } from '../schema/resource-tables.ts';

/** The last reports of backends about volumes. */
export interface VolumeObservations {
  byVolumes(volumeIds: readonly Id[]): Promise<VolumeObservationRecord[]>;
  /** A report about a volume that was deleted meanwhile is dropped. */
  save(record: VolumeObservationRecord, extras?: WriteExtras): Promise<void>;
}

export function createVolumeObservations(context: StoreContext): VolumeObservations {
  return {
    byVolumes: (ids) => volumeObservationsOf(context.db, ids),
    async save(record, extras) {
      try {
        await context.write(async ({ tx, add }) => {
          add(extras);
          const { volumeId: _, ...set } = record;
          await tx
            .insertInto('volume_observations')
            .values(volumeObservationTable.insert(record))
            .onConflict((conflict) =>
              conflict.column('volume_id').doUpdateSet(volumeObservationTable.update(set)),
            )
            .execute();
        });
      } catch (error) {
        if (!isForeignKeyViolation(error)) throw error;
      }
    },
  };
}

export async function volumeObservationsOf(
  db: Db | Tx,
  ids: readonly Id[],
): Promise<VolumeObservationRecord[]> {
  const rows = await forIds(ids, (slice) =>
    db.selectFrom('volume_observations').selectAll().where('volume_id', 'in', slice).execute(),
  );
  return rows.map(volumeObservationTable.decode);
}
