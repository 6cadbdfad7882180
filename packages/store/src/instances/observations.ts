import type { Id, InstanceRecord, ObservationRecord } from '@dstack/core';
import { forIds } from '../base/query.ts';
import { together } from '../base/together.ts';
import type { WriteExtras } from '../base/writes.ts';
import { recordChange } from '../changes/record-change.ts';
import { isForeignKeyViolation } from '../connection/failures.ts';
import type { StoreContext, Tx } from '../context/context.ts';
import { addHostAccess } from '../host-access/host-access.ts';
import type { NewHostAccess } from '../host-access/types.ts';
import { instanceTable, observationTable } from '../schema/work-tables.ts';

export interface InstanceWithObservation {
  readonly instance: InstanceRecord;
  /** Null = its backend has not been asked yet. */
  readonly observation: ObservationRecord | null;
}

/** The last reports of backends about instances. */
export interface Observations {
  /**
   * An instance with the last report about it; null = there is no such instance. Those that are asked for at the
   * same time are read by one query.
   */
  ofInstance(id: Id): Promise<InstanceWithObservation | null>;
  /**
   * `access`: how the agent is reached, if the backend has reported that; what is known already stays.
   * An observation of an instance that was deleted meanwhile is dropped.
   */
  save(
    record: ObservationRecord,
    extras?: WriteExtras & { readonly access?: NewHostAccess | null },
  ): Promise<void>;
}

export function createObservations(context: StoreContext): Observations {
  return {
    ofInstance: together((ids) =>
      context.read((tx) => observedInstances(tx, context.records, ids)),
    ),
    async save(record, extras) {
      try {
        await context.write(async ({ tx, add, changed }) => {
          add(extras);
          changed(...(await waitingJobs(tx, record.instanceId)));
          if (extras?.access) await addHostAccess(tx, context.cipher, [extras.access]);
          const { instanceId: _, ...set } = record;
          await tx
            .insertInto('observations')
            .values(observationTable.insert(record))
            .onConflict((conflict) =>
              conflict.column('instance_id').doUpdateSet(observationTable.update(set)),
            )
            .execute();
        });
      } catch (error) {
        if (!isForeignKeyViolation(error)) throw error;
      }
    },
  };
}

/** Jobs that wait for the instance show what the backend reports about it. */
async function waitingJobs(tx: Tx, instanceId: Id) {
  const rows = await tx
    .selectFrom('jobs')
    .select('id')
    .where('instance_id', '=', instanceId)
    .where('status', '=', 'provisioning')
    .execute();
  return [recordChange('instance', instanceId), ...rows.map(({ id }) => recordChange('job', id))];
}

async function observedInstances(
  tx: Tx,
  records: StoreContext['records'],
  ids: readonly Id[],
): Promise<ReadonlyMap<Id, InstanceWithObservation>> {
  const rows = await forIds(ids, (slice) =>
    tx
      .selectFrom('instances as i')
      .leftJoin('observations as o', 'o.instance_id', 'i.id')
      .selectAll('o')
      .select(['i.id', 'i.version'])
      .where('i.id', 'in', slice)
      .execute(),
  );
  const known = new Map(rows.map((row) => [row.id, row]));
  const instances = await records.read(tx, instanceTable, rows);
  return new Map(
    instances.map((instance) => {
      const row = known.get(instance.id);
      const observation = row?.instance_id ? observationTable.decode(row) : null;
      return [instance.id, { instance, observation }];
    }),
  );
}

export async function observationOf(tx: Tx, instanceId: Id): Promise<ObservationRecord | null> {
  const row = await tx
    .selectFrom('observations')
    .selectAll()
    .where('instance_id', '=', instanceId)
    .executeTakeFirst();
  return row ? observationTable.decode(row) : null;
}
