/** Keeps the pools: see `poolsOf` in `core`. */
import { type Change, type Id, type Pool, poolsOf, type Signal } from '@dstack/core';
import { sql } from 'kysely';
import { forIds, groupBy, notDeleted } from '../base/query.ts';
import type { StoreContext, Tx, Write } from '../context/context.ts';
import { countShares } from '../shares/count-shares.ts';
import { sharersOfServerHosts } from './server-hosts.ts';

/** Key of the lock under which the rights that connect projects and fleets change. */
const RIGHTS = 0x70_6f_6f_6c;

/**
 * Called in each transaction that changes which projects may use which fleets, after the change. A pool
 * that gained or lost members has a new version, so decisions on the old one are refused, and its
 * queue is examined again. `owner`: the project whose fleets others may use since, or may not use any
 * more; its pool has a new version also where its members are the same.
 */
export async function refreshPools(
  context: StoreContext,
  write: Write,
  owner: Id | null = null,
): Promise<void> {
  const { tx, add } = write;
  if (context.postgres) await sql`select pg_advisory_xact_lock(${RIGHTS})`.execute(tx);
  const before = await readMembers(tx);
  const after = poolsOf({
    projects: before.projects.map(({ id }) => id),
    fleets: before.fleets.map(({ id }) => id),
    uses: await readUses(tx),
    onServerHosts: (await sharersOfServerHosts(tx)).map((names) =>
      before.projects.filter(({ name }) => names.has(name.toLowerCase())).map(({ id }) => id),
    ),
  });
  const signals: Signal[] = [];
  const changed = changedPools(before, after, { newId: context.newId, owner });
  if (context.postgres) await lockPools(tx, before, changed);
  for (const { id, pool, isNew } of changed) {
    await writePool(tx, id, pool, isNew);
    signals.push({ kind: 'pool', id });
  }
  await deleteEmptyPools(tx);
  for (const { id } of await withWeights(tx, changed)) await countShares(write, context, id);
  add({ signals });
}

/** With a fleet goes the right to use it. */
export async function refreshAfter(
  context: StoreContext,
  write: Write,
  changes: readonly Change[],
): Promise<void> {
  const endsFleet = changes.some(
    (change) => change.type === 'fleet.update' && change.set.deleted === true,
  );
  if (endsFleet) await refreshPools(context, write);
}

interface Member {
  readonly id: Id;
  readonly pool_id: Id | null;
}

interface Members {
  readonly projects: readonly (Member & { readonly name: string })[];
  readonly fleets: readonly Member[];
}

async function readMembers(tx: Tx): Promise<Members> {
  return {
    projects: await tx
      .selectFrom('projects')
      .select(['id', 'pool_id', 'name'])
      .where(notDeleted('deleted'))
      .orderBy('id')
      .execute(),
    fleets: await tx
      .selectFrom('fleets')
      .select(['id', 'pool_id'])
      .where(notDeleted('deleted'))
      .orderBy('id')
      .execute(),
  };
}

async function readUses(tx: Tx) {
  const { rows } = await sql<{ projectId: Id; fleetId: Id }>`
    select project_id as "projectId", id as "fleetId" from fleets where not deleted
    union select i.project_id, ef.fleet_id
      from imports i join exported_fleets ef on ef.export_id = i.export_id`.execute(tx);
  return rows;
}

interface ChangedPool {
  readonly id: Id;
  readonly pool: Pool;
  readonly isNew: boolean;
}

/** A pool keeps the id that most of its members have, if no larger part of that pool is elsewhere. */
function changedPools(
  before: Members,
  after: readonly Pool[],
  { newId, owner }: { readonly newId: () => Id; readonly owner: Id | null },
): ChangedPool[] {
  const known = new Map([...before.projects, ...before.fleets].map((one) => [one.id, one.pool_id]));
  const sizes = new Map<Id, number>();
  for (const id of known.values()) if (id !== null) sizes.set(id, (sizes.get(id) ?? 0) + 1);
  const claims = after.flatMap((pool) => {
    const members = [...pool.projects, ...pool.fleets];
    const byId = groupBy(members, (id) => known.get(id) ?? null);
    return [...byId].flatMap(([id, own]) => (id === null ? [] : [{ pool, id, size: own.length }]));
  });
  claims.sort((a, b) => b.size - a.size || (a.id < b.id ? -1 : 1));
  const ids = new Map<Pool, Id>();
  const taken = new Set<Id>();
  for (const { pool, id } of claims) {
    if (ids.has(pool) || taken.has(id)) continue;
    ids.set(pool, id);
    taken.add(id);
  }
  return after.flatMap((pool): ChangedPool[] => {
    const members = [...pool.projects, ...pool.fleets];
    const id = ids.get(pool);
    if (id === undefined) return [{ id: newId(), pool, isNew: true }];
    const isSame =
      sizes.get(id) === members.length &&
      members.every((one) => known.get(one) === id && one !== owner);
    return isSame ? [] : [{ id, pool, isNew: false }];
  });
}

/** Those of which a project has a weight: claims of projects that have come to them count from now on. */
async function withWeights(tx: Tx, changed: readonly ChangedPool[]): Promise<ChangedPool[]> {
  const rows = await forIds(
    changed.flatMap(({ pool }) => pool.projects),
    (slice) =>
      tx
        .selectFrom('quotas')
        .select('project_id')
        .where('project_id', 'in', slice)
        .where('weight', 'is not', null)
        .execute(),
  );
  const weighing = new Set(rows.map((row) => row.project_id));
  return changed
    .filter(({ pool }) => pool.projects.some((id) => weighing.has(id)))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/**
 * Before their members: a claim locks its pool, and then a fleet of it. Those that end here are among
 * the pools that the members had.
 */
async function lockPools(tx: Tx, before: Members, changed: readonly ChangedPool[]): Promise<void> {
  const moved = new Set(changed.flatMap(({ pool }) => [...pool.projects, ...pool.fleets]));
  const ids = [...before.projects, ...before.fleets]
    .filter((one) => moved.has(one.id))
    .flatMap(({ pool_id: id }) => (id === null ? [] : [id]));
  if (ids.length === 0) return;
  await sql`select id from pools where id = any(${[...new Set(ids)]}::text[])
    order by id for update`.execute(tx);
}

async function writePool(tx: Tx, id: Id, pool: Pool, isNew: boolean): Promise<void> {
  if (isNew) await tx.insertInto('pools').values({ id, version: 1 }).execute();
  else {
    await tx.updateTable('pools').set({ version: sql`version + 1` }).where('id', '=', id).execute();
  }
  for (const [table, members] of [
    ['projects', pool.projects],
    ['fleets', pool.fleets],
  ] as const) {
    await forIds(members, async (slice) => {
      await tx
        .updateTable(table)
        .set({ pool_id: id })
        .where('id', 'in', slice)
        .where('pool_id', 'is distinct from', id)
        .execute();
      return [];
    });
  }
}

/** Members that were deleted keep the id of a pool that may be deleted. */
async function deleteEmptyPools(tx: Tx): Promise<void> {
  await sql`delete from pools where
    not exists (select 1 from projects where pool_id = pools.id and not deleted)
    and not exists (select 1 from fleets where pool_id = pools.id and not deleted)`.execute(tx);
}
