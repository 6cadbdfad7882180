import type { EventTargetType } from '@dstack/core';
import { type RawBuilder, type Selectable, type SqlBool, sql } from 'kysely';
import type { Db } from '../context.ts';
import { forIds, groupBy, keyset } from '../query.ts';
import type { DB } from '../schema/db.ts';
import type { EventFilter, EventView, EventViewTarget } from './types.ts';

interface EventKey {
  readonly id: string;
  readonly recordedAt: number;
}

/**
 * The page is found first, in one table: with any condition on targets in `event_targets`, whose
 * indexes carry the event's time, else in `events`.
 */
export async function listEvents(db: Db, filter: EventFilter): Promise<EventView[]> {
  const conditions = targetConditions(filter);
  const keys =
    conditions.length > 0 || filter.visibleTo
      ? await pageOfTargets(db, filter, conditions)
      : await pageOfEvents(db, filter);
  return loadEvents(db, keys);
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

async function pageOfTargets(
  db: Db,
  filter: EventFilter,
  conditions: readonly RawBuilder<SqlBool>[],
): Promise<EventKey[]> {
  const order = keyset(filter.page, 't.recorded_at', 't.event_id');
  let query = db
    .selectFrom('event_targets as t')
    .select(['t.event_id as id', 't.recorded_at as recordedAt'])
    .distinct()
    .orderBy('t.recorded_at', order.timeOrder)
    .orderBy('t.event_id', order.idOrder);
  for (const condition of conditions) query = query.where(condition);
  if (filter.visibleTo) {
    // Any target of the event may be the one that makes it visible.
    query = query.where(
      conditions.length === 0
        ? visible(filter.visibleTo, 't')
        : sql<SqlBool>`exists (select 1 from event_targets v
            where v.event_id = t.event_id and ${visible(filter.visibleTo, 'v')})`,
    );
  }
  if (order.condition) query = query.where(order.condition);
  if (filter.actors) {
    query = query.where(
      sql<SqlBool>`exists (select 1 from events e
        where e.id = t.event_id and ${byActors(filter.actors)})`,
    );
  }
  if (filter.page?.limit !== undefined) query = query.limit(filter.page.limit);
  return query.execute();
}

function targetConditions(filter: EventFilter): RawBuilder<SqlBool>[] {
  const conditions: RawBuilder<SqlBool>[] = [];
  if (filter.targets) {
    conditions.push(
      sql`t.target_id in (${list(filter.targets.ids)}) and t.type = ${filter.targets.type}`,
    );
  }
  if (filter.within) conditions.push(withinCondition(filter.within));
  if (filter.targetTypes) conditions.push(sql`t.type in (${list(filter.targetTypes)})`);
  return conditions;
}

/** The thing itself, and what carries its id as parent. */
const WITHIN: Readonly<
  Record<'fleet' | 'run' | 'gateway', { self: EventTargetType; child: EventTargetType }>
> = {
  fleet: { self: 'fleet', child: 'instance' },
  run: { self: 'run', child: 'job' },
  gateway: { self: 'gateway', child: 'gateway-replica' },
};

function withinCondition(within: NonNullable<EventFilter['within']>): RawBuilder<SqlBool> {
  const ids = list(within.ids);
  if (within.kind === 'project') return sql`t.project_id in (${ids})`;
  const { self, child } = WITHIN[within.kind];
  return sql`((t.target_id in (${ids}) and t.type = ${self})
    or (t.parent_id in (${ids}) and t.type = ${child}))`;
}

function visible(
  viewer: NonNullable<EventFilter['visibleTo']>,
  alias: 't' | 'v',
): RawBuilder<SqlBool> {
  const column = (name: string) => sql.ref(`${alias}.${name}`);
  return sql`(${column('project_id')} in (${list(viewer.projectIds)})
    or (${column('target_id')} = ${viewer.userId} and ${column('type')} = 'user'))`;
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

async function loadEvents(db: Db, keys: readonly EventKey[]): Promise<EventView[]> {
  const ids = keys.map((key) => key.id);
  const rows = await forIds(ids, (slice) =>
    db
      .selectFrom('events as e')
      .leftJoin('users as u', 'u.id', 'e.actor_user_id')
      .select(['e.id', 'e.message', 'e.actor_user_id', 'e.recorded_at'])
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
        message: row.message,
        recordedAt: row.recorded_at,
        actor:
          row.actor_user_id === null
            ? null
            : {
                id: row.actor_user_id,
                name: row.actor_original_name ?? row.actor_name ?? '',
                deleted: truthy(row.actor_deleted),
              },
        targets: (targets.get(row.id) ?? []).map(({ target }) => target),
      },
    ]),
  );
  return ids.flatMap((id) => events.get(id) ?? []);
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
    type: row.type as EventTargetType,
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
