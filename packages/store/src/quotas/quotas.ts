import { ALL_USERS, type Amounts, type Id, type QuotaRecord, type QuotaState } from '@dstack/core';
import { sql } from 'kysely';
import { StoreError } from '../base/errors.ts';
import { forIds, groupBy, notDeleted } from '../base/query.ts';
import { projectChange } from '../changes/record-change.ts';
import { lockQuotas, quotasOf } from '../claims/charges.ts';
import { CHANGED, countClaims } from '../claims/count-claims.ts';
import type { Db, StoreContext, Tx, Write } from '../context/context.ts';
import { quotaTable } from '../schema/resource-tables.ts';
import { countShares } from '../shares/count-shares.ts';
import { sharesView } from '../shares/shares-view.ts';
import type { QuotaChange, QuotaPlace, Quotas, QuotaView } from './types.ts';
import { waitingRuns } from './waiting.ts';

export function createQuotas(context: StoreContext): Quotas {
  return {
    list: (projectIds, fleetOwners = []) =>
      context.read((tx) => listQuotas(tx, projectIds, fleetOwners)),
    ofProject: (projectId) => context.read((tx) => quotaStates(tx, [projectId])),
    byPlace: (place) => byPlace(context.db, place),
    shares: (projectId) =>
      context.read(async (tx) =>
        sharesView(tx, context, projectId, await poolQuotas(tx, [projectId])),
      ),
    apply: (changes) => {
      const ids = changes.map(({ place }) => place.projectId);
      return counted(context, ids, async (write) => {
        const outcome: (QuotaRecord | null)[] = [];
        for (const change of changes) outcome.push(await applyOne(context, write, change));
        if (changes.some(({ terms }) => (terms?.weight ?? null) !== null)) {
          for (const id of await poolsOfProjects(write.tx, ids)) {
            await countShares(write, context, id);
          }
        }
        return outcome;
      });
    },
    async recount() {
      const rows = await context.db
        .selectFrom('quotas')
        .select('project_id')
        .distinct()
        .orderBy('project_id')
        .execute();
      for (const { project_id: id } of rows) {
        await counted(context, [id], async (write) =>
          countClaims(write, id, await quotasOf(write.tx, [id])),
        );
      }
      const ids = rows.map((row) => row.project_id);
      for (const pool of await poolsOfProjects(context.db, ids)) {
        await context.write((write) => countShares(write, context, pool, 'all'));
      }
    },
  };
}

/** Claims can only change between two tries, so more failures cannot be a coincidence. */
const MAX_TRIES = 50;

/** A transaction beside which no claim of these projects changes. */
async function counted<T>(
  context: StoreContext,
  projectIds: readonly Id[],
  work: (write: Write) => Promise<T>,
): Promise<T> {
  const ids = [...new Set(projectIds)].sort();
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const outcome = await context.write(async (write): Promise<T | typeof CHANGED> => {
      await raisePools(write.tx, ids);
      for (const id of ids) await lockQuotas(write.tx, id, context.postgres, 'alone');
      return await work(write);
    });
    if (outcome !== CHANGED) return outcome as T;
  }
  throw new StoreError(
    'store_contended',
    `The claims of project ${ids.join(', ')} could not be counted in ${MAX_TRIES} tries.`,
    'Try again; if it goes on, look for a loop that writes its jobs all the time.',
  );
}

/** Null: the quota that should be deleted does not exist. */
async function applyOne(
  context: StoreContext,
  write: Write,
  { place, terms, extras }: QuotaChange,
): Promise<QuotaRecord | null> {
  const { tx, add, changed } = write;
  const known = await byPlace(tx, place);
  const quota = terms === null ? known : { ...place, id: known?.id ?? context.newId(), ...terms };
  if (quota === null) return null;
  if (terms === null) {
    await tx.deleteFrom('quotas').where('id', '=', quota.id).execute();
  } else {
    const { id, ...set } = quota;
    await (known
      ? tx.updateTable('quotas').set(quotaTable.update(set)).where('id', '=', id).execute()
      : tx.insertInto('quotas').values(quotaTable.insert(quota)).execute());
    await countClaims(write, place.projectId, [quota]);
  }
  add(extras);
  await examineQueue(write, place.projectId);
  changed(projectChange(place.projectId, 'quotas'));
  return quota;
}

/**
 * Decisions of placement that were made before are refused: they may claim without a charge. Pools come before quotas,
 * as in the transaction of a claim, and in one order, so that two transactions do not wait for each other in a circle.
 */
async function raisePools(tx: Tx, projectIds: readonly Id[]): Promise<void> {
  for (const id of await poolsOfProjects(tx, projectIds)) {
    await tx.updateTable('pools').set({ version: sql`version + 1` }).where('id', '=', id).execute();
  }
}

async function poolsOfProjects(db: Db | Tx, projectIds: readonly Id[]): Promise<Id[]> {
  const rows = await forIds(projectIds, (slice) =>
    db.selectFrom('projects').select('pool_id').where('id', 'in', slice).execute(),
  );
  return [...new Set(rows.flatMap(({ pool_id }) => pool_id ?? []))].sort();
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
      // Quotas on a fleet end with the fleet.
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
