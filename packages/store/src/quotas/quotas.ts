import { ALL_USERS, type Amounts, type Id, type QuotaRecord, type QuotaState } from '@dstack/core';
import { sql } from 'kysely';
import { projectChange } from '../changes/record-change.ts';
import type { Db, StoreContext, Tx, Write } from '../context.ts';
import { StoreError } from '../errors.ts';
import { forIds, groupBy, notDeleted } from '../query.ts';
import { quotaTable } from '../schema/resource-tables.ts';
import { lockQuotas, quotasOf } from './charges.ts';
import { CHANGED, countClaims } from './count-claims.ts';
import type { QuotaPlace, Quotas, QuotaView } from './types.ts';
import { waitingRuns } from './waiting.ts';

export function createQuotas(context: StoreContext): Quotas {
  return {
    list: (projectIds, fleetOwners = []) =>
      context.read((tx) => listQuotas(tx, projectIds, fleetOwners)),
    ofProject: (projectId) => context.read((tx) => quotaStates(tx, [projectId])),
    byPlace: (place) => byPlace(context.db, place),
    set: (place, terms, extras) =>
      counted(context, place.projectId, async (write) => {
        const { tx, add, changed } = write;
        add(extras);
        const known = await byPlace(tx, place);
        const quota = { ...place, id: known?.id ?? context.newId(), ...terms };
        if (known) {
          const { id, ...set } = quota;
          await tx.updateTable('quotas').set(quotaTable.update(set)).where('id', '=', id).execute();
        } else {
          await tx.insertInto('quotas').values(quotaTable.insert(quota)).execute();
        }
        await countClaims(write, place.projectId, [quota]);
        await examineQueue(write, place.projectId);
        changed(projectChange(place.projectId, 'quotas'));
        return quota;
      }),
    delete: (place, extras) =>
      counted(context, place.projectId, async (write) => {
        const { tx, add, changed } = write;
        const known = await byPlace(tx, place);
        if (known === null) return false;
        add(extras);
        await tx.deleteFrom('quotas').where('id', '=', known.id).execute();
        await examineQueue(write, place.projectId);
        changed(projectChange(place.projectId, 'quotas'));
        return true;
      }),
    async recount() {
      const rows = await context.db
        .selectFrom('quotas')
        .select('project_id')
        .distinct()
        .orderBy('project_id')
        .execute();
      for (const { project_id: id } of rows) {
        await counted(context, id, async (write) =>
          countClaims(write, id, await quotasOf(write.tx, [id])),
        );
      }
    },
  };
}

/** Claims can only change between two tries, so more failures cannot be a coincidence. */
const MAX_TRIES = 50;

/** A transaction beside which no claim of the project changes. */
async function counted<T>(
  context: StoreContext,
  projectId: Id,
  work: (write: Write) => Promise<T>,
): Promise<T> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const outcome = await context.write(async (write): Promise<T | typeof CHANGED> => {
      await raisePool(write.tx, projectId);
      await lockQuotas(write.tx, projectId, context.postgres, 'alone');
      return await work(write);
    });
    if (outcome !== CHANGED) return outcome as T;
  }
  throw new StoreError(
    'store_contended',
    `The claims of project ${projectId} could not be counted in ${MAX_TRIES} tries.`,
    'Try again; if it goes on, look for a loop that writes its jobs all the time.',
  );
}

/**
 * Decisions of placement that were made before are refused: they may claim without a charge. The pool comes before the
 * quotas, as in the transaction of a claim.
 */
async function raisePool(tx: Tx, projectId: Id): Promise<void> {
  await tx
    .updateTable('pools')
    .set({ version: sql`version + 1` })
    .where('id', '=', (eb) =>
      eb.selectFrom('projects').select('pool_id').where('id', '=', projectId),
    )
    .execute();
}

async function examineQueue({ tx, add }: Write, projectId: Id): Promise<void> {
  const row = await tx
    .selectFrom('projects')
    .select('pool_id')
    .where('id', '=', projectId)
    .executeTakeFirst();
  if (row?.pool_id) add({ signals: [{ kind: 'pool', id: row.pool_id }] });
}

async function byPlace(db: Db | Tx, place: QuotaPlace): Promise<QuotaRecord | null> {
  const { projectId, fleetId, userId } = place;
  const row = await db
    .selectFrom('quotas')
    .selectAll()
    .where('project_id', '=', projectId)
    .where('fleet_id', fleetId === null ? 'is' : '=', fleetId)
    .where('user_id', userId === null ? 'is' : '=', userId)
    .executeTakeFirst();
  return row ? quotaTable.decode(row) : null;
}

/** The quotas of these projects with what is used of them; most projects have none. */
export async function quotaStates(tx: Tx, projectIds: readonly Id[]): Promise<QuotaState[]> {
  return await withUse(tx, await quotasOf(tx, projectIds));
}

/** Those of all projects of the pools of these projects: jobs of one that is not waiting may have to leave. */
export async function poolQuotas(tx: Tx, projectIds: readonly Id[]): Promise<QuotaState[]> {
  const rows = await forIds(projectIds, (slice) =>
    tx
      .selectFrom('quotas')
      .selectAll()
      .where('project_id', 'in', (eb) =>
        eb
          .selectFrom('projects as p')
          .innerJoin('projects as o', 'o.pool_id', 'p.pool_id')
          .select('o.id')
          .where('p.id', 'in', slice)
          .where(notDeleted('o.deleted')),
      )
      // What was granted on a fleet ends with it.
      .where(({ or, eb, exists, selectFrom }) =>
        or([
          eb('fleet_id', 'is', null),
          exists(
            selectFrom('fleets as f')
              .select('f.id')
              .whereRef('f.id', '=', 'quotas.fleet_id')
              .where(notDeleted('f.deleted')),
          ),
        ]),
      )
      .execute(),
  );
  const quotas = rows.map((row) => quotaTable.decode(row));
  const unique = [...new Map(quotas.map((quota) => [quota.id, quota])).values()];
  return await withUse(
    tx,
    unique.sort((a, b) => (a.id < b.id ? -1 : 1)),
  );
}

async function withUse(tx: Tx, quotas: readonly QuotaRecord[]): Promise<QuotaState[]> {
  if (quotas.length === 0) return [];
  const rows = await forIds(
    quotas.map(({ id }) => id),
    (slice) => tx.selectFrom('quota_uses').selectAll().where('quota_id', 'in', slice).execute(),
  );
  const byQuota = groupBy(rows, (row) => row.quota_id);
  return quotas.map((quota) => {
    const used: Record<string, Amounts> = {};
    for (const { user_id, resource, used: amount } of byQuota.get(quota.id) ?? []) {
      if (Number(amount) === 0) continue;
      used[user_id] = { ...used[user_id], [resource]: Number(amount) };
    }
    return { quota, used };
  });
}

async function listQuotas(
  tx: Tx,
  projectIds: readonly Id[] | null,
  fleetOwners: readonly Id[],
): Promise<QuotaView[]> {
  const rows = await tx
    .selectFrom('quotas as q')
    .innerJoin('projects as p', 'p.id', 'q.project_id')
    .leftJoin('fleets as f', 'f.id', 'q.fleet_id')
    .leftJoin('projects as o', 'o.id', 'f.project_id')
    .leftJoin('users as u', 'u.id', 'q.user_id')
    .selectAll('q')
    .select(['p.name as project_name', 'f.name as fleet_name', 'o.name as owner_name'])
    .select(['o.id as owner_id', 'u.name as user_name'])
    .where(notDeleted('p.deleted'))
    .where((eb) => eb.or([eb('q.fleet_id', 'is', null), eb('f.deleted', '=', false)]))
    .orderBy('p.name')
    .orderBy('f.name')
    .orderBy('u.name')
    .orderBy('q.id')
    .execute();
  const visible = rows.filter(
    (row) =>
      projectIds === null ||
      projectIds.includes(row.project_id) ||
      (row.owner_id !== null && fleetOwners.includes(row.owner_id)),
  );
  const states = await withUse(
    tx,
    visible.map((row) => quotaTable.decode(row)),
  );
  const views: QuotaView[] = [];
  for (const [index, row] of visible.entries()) {
    const state = states[index];
    if (!state) continue;
    const waiting = await waitingRuns(tx, state.quota);
    const users = Object.keys({ ...state.used, ...waiting }).filter((id) => id !== ALL_USERS);
    views.push({
      ...state,
      projectName: row.project_name,
      fleet:
        (row.fleet_name && { name: row.fleet_name, projectName: row.owner_name ?? '' }) || null,
      userName: row.user_name,
      userNames: await namesOf(tx, users),
      waiting,
    });
  }
  return views;
}

async function namesOf(tx: Tx, ids: readonly Id[]): Promise<Record<Id, string>> {
  const rows = await forIds(ids, (slice) =>
    tx.selectFrom('users').select(['id', 'name']).where('id', 'in', slice).execute(),
  );
  return Object.fromEntries(rows.map(({ id, name }) => [id, name]));
}
