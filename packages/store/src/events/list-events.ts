import type { EventTargetKind, Id } from '@dstack/core';
import { type RawBuilder, type Selectable, type SqlBool, sql } from 'kysely';
import { forIds, groupBy, keyset } from '../base/query.ts';
import type { Db } from '../context/context.ts';
import type { DB } from '../schema/db.ts';
import type { EventActorView, EventFilter, EventView, EventViewTarget } from './types.ts';

interface EventKey {
  readonly id: string;
  readonly recordedAt: number;
}

/**
 * The page is found first, in one table: with any condition on targets in `event_targets`, whose
 * indexes contain the event's time, else in `events`.
 */
export async function selectEvents(db: Db, filter: EventFilter): Promise<EventView[]> {
  const onTargets = filter.targets || filter.within || filter.targetTypes || filter.visibleTo;
  const keys = onTargets ? await pageOfTargets(db, filter) : await pageOfEvents(db, filter);
  return loadEvents(
    db,
    keys.map((key) => key.id),
  );
}

async function pageOfEvents(db: Db, filter: EventFilter): Promise<EventKey[]> {
  const order = keyset(filter.page, 'e.recorded_at', 'e.id');
  let query = db
    .selectFrom('events as e')
    .select(['e.id', 'e.recorded_at as recordedAt'])
    .orderBy('e.recorded_at', order.timeOrder)
    .orderBy('e.id', order.idOrder);
  if (order.condition) query = query.where(order.condition);
  if (filter.actors) query = query.where(byActors(filter.actors));
  if (filter.page?.limit !== undefined) query = query.limit(filter.page.limit);
  return query.execute();
}

/**
 * One ordered and limited search per target, each along an index, and the newest of all their
 * results: a single search for any of the targets would have to sort all matches.
 */
async function pageOfTargets(db: Db, filter: EventFilter): Promise<EventKey[]> {
  const order = keyset(filter.page, 't.recorded_at', 't.event_id');
  const shared = sharedConditions(filter);
  if (order.condition) shared.push(order.condition);
  const limit = filter.page?.limit;
  const sorting = sql`order by recorded_at ${sql.raw(order.timeOrder)}, event_id ${sql.raw(order.idOrder)}
    ${limit === undefined ? sql`` : sql`limit ${limit}`}`;
  const searches = branches(filter).map(
    (branch) => sql`select * from (
      select distinct t.event_id, t.recorded_at from event_targets t
      where ${sql.join([branch, ...shared], sql` and `)} ${sorting}) found`,
  );
  if (searches.length === 0) return [];
  const { rows } = await sql<{ event_id: string; recorded_at: number }>`
    select distinct event_id, recorded_at
    from (${sql.join(searches, sql` union all `)}) any_found ${sorting}`.execute(db);
  return rows.map((row) => ({ id: row.event_id, recordedAt: row.recorded_at }));
}

/** Beyond this many projects, one walk through the newest events is cheaper. */
const MAX_BRANCHES = 100;

/** The requested alternatives, each of which has an index. */
function branches(filter: EventFilter): RawBuilder<SqlBool>[] {
  const { targets, within, visibleTo } = filter;
  if (targets) {
    return targets.ids.map((id) => sql`t.target_id = ${id} and t.type = ${targets.type}`);
  }
  if (within) return within.ids.flatMap((id) => withinBranches(within.kind, id));
  if (!visibleTo || visibleTo.projectIds.length > MAX_BRANCHES) return [sql`true`];
  if (filter.targetTypes) return [sql`true`];
  return [
    ...visibleTo.projectIds.map((id): RawBuilder<SqlBool> => sql`t.project_id = ${id}`),
    sql`t.target_id = ${visibleTo.userId} and t.type = 'user'`,
  ];
}

/** The conditions of every search. Any target of the event may be the one that makes it visible. */
function sharedConditions(filter: EventFilter): RawBuilder<SqlBool>[] {
  const conditions: RawBuilder<SqlBool>[] = [];
  if (filter.targetTypes) conditions.push(sql`t.type in (${list(filter.targetTypes)})`);
  if (filter.visibleTo) {
    conditions.push(sql`exists (select 1 from event_targets v
      where v.event_id = t.event_id and ${visible(filter.visibleTo)})`);
  }
  if (filter.actors) {
    conditions.push(sql`exists (select 1 from events e
      where e.id = t.event_id and ${byActors(filter.actors)})`);
  }
  return conditions;
}

/** The target itself, and targets with its id as parent. */
const WITHIN: Readonly<
  Record<'fleet' | 'run' | 'gateway', { self: EventTargetKind; child: EventTargetKind }>
> = {
  fleet: { self: 'fleet', child: 'instance' },
  run: { self: 'run', child: 'job' },
  gateway: { self: 'gateway', child: 'gateway-replica' },
};

function withinBranches(
  kind: NonNullable<EventFilter['within']>['kind'],
  id: Id,
): RawBuilder<SqlBool>[] {
  if (kind === 'project') return [sql`t.project_id = ${id}`];
  const { self, child } = WITHIN[kind];
  return [
    sql`t.target_id = ${id} and t.type = ${self}`,
    sql`t.parent_id = ${id} and t.type = ${child}`,
  ];
}

function visible(viewer: NonNullable<EventFilter['visibleTo']>): RawBuilder<SqlBool> {
  return sql`(v.project_id in (${list(viewer.projectIds)})
    or (v.target_id = ${viewer.userId} and v.type = 'user'))`;
}

function byActors(actors: readonly (string | null)[]): RawBuilder<SqlBool> {
  const ids = actors.filter((actor) => actor !== null);
  const system = actors.includes(null);
  if (!system) return sql`e.actor_user_id in (${list(ids)})`;
  return sql`(e.actor_user_id is null or e.actor_user_id in (${list(ids)}))`;
}

/** An empty list matches nothing: `in (null)` is never true. */
function list(values: readonly string[]): RawBuilder<unknown> {
  return values.length === 0 ? sql`null` : sql.join([...values]);
}

/** In the given order. */
export async function loadEvents(db: Db, ids: readonly Id[]): Promise<EventView[]> {
  const rows = await forIds(ids, (slice) =>
    db
      .selectFrom('events as e')
      .leftJoin('users as u', 'u.id', 'e.actor_user_id')
      .selectAll('e')
      .select(['u.name as actor_name', 'u.original_name as actor_original_name'])
      .select('u.deleted as actor_deleted')
      .where('e.id', 'in', slice)
      .execute(),
  );
  const targets = groupBy(await loadTargets(db, ids), (target) => target.eventId);
  const events = new Map(
    rows.map((row): [string, EventView] => [
      row.id,
      {
        id: row.id,
        ...toStory(row),
        message: row.message,
        recordedAt: row.recorded_at,
        actor: toActor(row),
        targets: (targets.get(row.id) ?? []).map(({ target }) => target),
      },
    ]),
  );
  return ids.flatMap((id) => events.get(id) ?? []);
}

type EventRow = Selectable<DB['events']>;

function toStory({
  action,
  data,
  outcome,
  message,
}: EventRow): Pick<EventView, 'action' | 'data' | 'outcome'> {
  if (action === null) return { action: 'legacy', data: { text: message }, outcome: 'done' };
  return { action, data: data === null ? {} : JSON.parse(data), outcome: outcome ?? 'done' };
}

function toActor(
  row: EventRow & {
    actor_name: string | null;
    actor_original_name: string | null;
    actor_deleted: boolean | null;
  },
): EventActorView | null {
  const { actor_user_id: id, actor_token_id: tokenId } = row;
  if (id === null) return null;
  return {
    id,
    name: row.actor_original_name ?? row.actor_name ?? '',
    deleted: truthy(row.actor_deleted),
    token: tokenId === null ? null : { id: tokenId, name: row.actor_token_name ?? '' },
    address: row.actor_address,
  };
}

async function loadTargets(
  db: Db,
  eventIds: readonly string[],
): Promise<{ readonly eventId: string; readonly target: EventViewTarget }[]> {
  const rows = await forIds(eventIds, (slice) =>
    db
      .selectFrom('event_targets as t')
      .leftJoin('projects as p', 'p.id', 't.project_id')
      .selectAll('t')
      .select(['p.name as project_name', 'p.original_name as project_original_name'])
      .select('p.deleted as project_deleted')
      .where('t.event_id', 'in', slice)
      .orderBy('t.event_id')
      .orderBy('t.target_num')
      .execute(),
  );
  return rows.map((row) => ({ eventId: row.event_id, target: toTarget(row) }));
}

function toTarget(
  row: Selectable<DB['event_targets']> & {
    project_name: string | null;
    project_original_name: string | null;
    project_deleted: boolean | null;
  },
): EventViewTarget {
  return {
    type: row.type as EventTargetKind,
    id: row.target_id,
    name: row.name,
    projectId: row.project_id,
    parentId: row.parent_id,
    projectName: row.project_original_name ?? row.project_name,
    projectDeleted: truthy(row.project_deleted),
  };
}

/** A boolean of either database. */
function truthy(value: unknown): boolean {
  return value === true || value === 1;
}
