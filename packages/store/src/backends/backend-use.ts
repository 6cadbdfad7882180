/** Finds the objects of a project in a backend that could not be ended without it. */
import { ENDING_INSTANCE_STATUSES, WORKING_VOLUME_STATUSES } from '@dstack/contract/status';
import type { BackendType } from '@dstack/contract/wire';
import type { Id, IntentPayload, Timestamp } from '@dstack/core';
import { notDeleted } from '../base/query.ts';
import type { Db, Tx } from '../context/context.ts';
import { intentTable } from '../schema/work-tables.ts';
import type { BackendUse } from './types.ts';

/**
 * Machines that do not end within this time (µs) do not prevent a deletion: the account may be lost for ever.
 * The termination of a machine is retried for the same time without its backend.
 */
const ENDING_LIMIT = 900_000_000;

export interface UseOf {
  readonly projectId: Id;
  readonly type: BackendType;
  readonly now: Timestamp;
}

export async function backendUse(db: Db | Tx, of: UseOf): Promise<Omit<BackendUse, 'type'>> {
  const { projectId, type } = of;
  const instances = await db
    .selectFrom('instances')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('project_id', '=', projectId)
    .where('backend', '=', type)
    .where(notDeleted('deleted'))
    .where('status', 'not in', ENDING_INSTANCE_STATUSES)
    .executeTakeFirstOrThrow();
  const volumes = await db
    .selectFrom('volumes')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('project_id', '=', projectId)
    .where('backend', '=', type)
    .where(notDeleted('deleted'))
    // A failed volume does not exist at the provider.
    .where('status', 'in', WORKING_VOLUME_STATUSES)
    .executeTakeFirstOrThrow();
  const ending = (await endingMachines(db, of)) + (await openOrders(db, of));
  return { instances: Number(instances.count), volumes: Number(volumes.count), ending };
}

async function endingMachines(db: Db | Tx, { projectId, type, now }: UseOf): Promise<number> {
  const rows = await db
    .selectFrom('instances')
    .select('status_changed_at')
    .where('project_id', '=', projectId)
    .where('backend', '=', type)
    .where(notDeleted('deleted'))
    .where('status', '=', 'terminating')
    .where('handle', 'is not', null)
    .execute();
  return rows.filter((row) => isRecent(Number(row.status_changed_at), now)).length;
}

/** Orders that this backend was asked for, without a result yet: a machine may exist. */
async function openOrders(db: Db | Tx, { projectId, type, now }: UseOf): Promise<number> {
  const rows = await db
    .selectFrom('intents')
    .innerJoin('instances', 'instances.id', 'intents.subject_id')
    .selectAll('intents')
    .where('intents.kind', '=', 'instance.create')
    .where('intents.state', '=', 'announced')
    .where('instances.project_id', '=', projectId)
    .execute();
  return rows
    .map((row) => intentTable.decode(row))
    .filter(({ payload, updatedAt }) => asks(payload, type) && isRecent(updatedAt, now)).length;
}

function asks(payload: IntentPayload, type: BackendType): boolean {
  if (payload.kind !== 'instance.create' || payload.asked === undefined) return false;
  return payload.offers.at(-payload.asked)?.backend === type;
}

/** A time that is far ahead was written by a wrong clock. */
function isRecent(at: Timestamp, now: Timestamp): boolean {
  return Math.abs(now - at) < ENDING_LIMIT;
}
