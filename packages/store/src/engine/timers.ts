import {
  isRunPending,
  isRunSubmitted,
  isRunTerminating,
  type RunStatus,
  UNFINISHED_JOB_STATUSES,
  UNFINISHED_RUN_STATUSES,
} from '@dstack/contract/status';
import type { Signal } from '@dstack/core';
import { sql } from 'kysely';
import { countOverlooked } from '../arrays/member-counts.ts';
import { notDeleted } from '../base/query.ts';
import type { StoreContext } from '../context/context.ts';
import { overlookedDependants } from '../runs/dependencies.ts';
import { keepShareTime } from '../shares/share-time.ts';
import type { Alarm, EngineStore, ScheduledKind } from './types.ts';

const TABLES = {
  run: 'runs',
  instance: 'instances',
  observation: 'observations',
  fleet: 'fleets',
  volume: 'volumes',
  'volume-observation': 'volume_observations',
  gateway: 'gateways',
  group: 'provider_groups',
} as const satisfies Record<ScheduledKind, string>;

/** Kinds of records that may have work as long as they are not deleted. */
const UNTIL_DELETED = ['instance', 'fleet', 'volume', 'gateway', 'group'] as const;

/** Name of the column with the key of the work. */
const keyColumn = (kind: ScheduledKind) => sql.ref<string>(KEY_COLUMNS[kind] ?? 'id');

const KEY_COLUMNS: Readonly<Partial<Record<ScheduledKind, string>>> = {
  observation: 'instance_id',
  'volume-observation': 'volume_id',
};

/**
 * For each run with unfinished jobs, whether all of them wait for capacity. One query for all runs:
 * a correlated subquery would read all waiting jobs once per run.
 */
const UNFINISHED_JOBS = sql<{ run_id: string; waiting: number }>`(
  select run_id, min(case when status = 'submitted' and waiting_since is not null
      and instance_id is null then 1 else 0 end) as waiting
    from jobs where status in (${sql.join(UNFINISHED_JOB_STATUSES)}) group by run_id)`;

type Timers = Pick<
  EngineStore,
  'due' | 'nextDue' | 'unfinished' | 'alarms' | 'countOverlooked' | 'keepShareTime'
>;

export function createTimers(context: StoreContext): Timers {
  const { db } = context;
  return {
    countOverlooked: () => countOverlooked(context),
    keepShareTime: () => keepShareTime(context),
    async due(kind, until, limit) {
      const rows = await db
        .selectFrom(TABLES[kind])
        .select(keyColumn(kind).as('id'))
        .where('next_pass_at', '<=', until)
        .orderBy('next_pass_at')
        .limit(limit)
        .execute();
      return rows.map((row) => row.id);
    },
    async nextDue(kind) {
      const row = await db
        .selectFrom(TABLES[kind])
        .select((eb) => eb.fn.min('next_pass_at').as('next'))
        .where('next_pass_at', 'is not', null)
        .executeTakeFirst();
      return row?.next ?? null;
    },
    async unfinished() {
      const runs = await db
        .selectFrom('runs as r')
        .leftJoin(UNFINISHED_JOBS.as('j'), 'j.run_id', 'r.id')
        .innerJoin('projects as p', 'p.id', 'r.project_id')
        .select(['r.id', 'p.pool_id', 'r.status', 'j.waiting'])
        .select(['r.hold', 'r.dependency_state', 'r.next_pass_at'])
        .where('r.status', 'in', UNFINISHED_RUN_STATUSES)
        .execute();
      const pools = new Set(
        runs.flatMap(({ status, pool_id }) => (isRunTerminating(status) ? [] : (pool_id ?? []))),
      );
      const others: Signal[] = [];
      for (const kind of UNTIL_DELETED) others.push(...(await signalsOf(kind)));
      const intents = await db
        .selectFrom('intents')
        .select('key')
        .where('state', '=', 'announced')
        .execute();
      return [
        ...intents.map((row): Signal => ({ kind: 'intent', id: row.key })),
        ...runs
          .filter((row) => !waitsForCapacity(row) && !isKeptOut(row))
          .map((row): Signal => ({ kind: 'run', id: row.id })),
        ...(await overlookedDependants(db)).map((id): Signal => ({ kind: 'run', id })),
        ...[...pools].map((id): Signal => ({ kind: 'pool', id })),
        ...others,
      ];
    },
    async alarms() {
      const kinds = Object.keys(TABLES) as ScheduledKind[];
      const lists = await Promise.all(kinds.map(alarmsOf));
      return lists.flat();
    },
  };

  async function alarmsOf(kind: ScheduledKind): Promise<Alarm[]> {
    const rows = await db
      .selectFrom(TABLES[kind])
      .select([keyColumn(kind).as('id'), 'next_pass_at'])
      .where('next_pass_at', 'is not', null)
      .execute();
    return rows.map(({ id, next_pass_at }) => ({ kind, id, at: next_pass_at ?? 0 }));
  }

  async function signalsOf(kind: (typeof UNTIL_DELETED)[number]): Promise<Signal[]> {
    const rows = await db
      .selectFrom(TABLES[kind])
      .select('id')
      .where(notDeleted('deleted'))
      .execute();
    return rows.map(({ id }) => ({ kind, id }));
  }
}

/** Such a run needs no pass until placement signals it or its alarm is due. */
function waitsForCapacity(run: {
  readonly status: RunStatus;
  readonly waiting: number | null;
}): boolean {
  return isRunSubmitted(run.status) && Number(run.waiting) === 1;
}

/** Such a run needs no pass until it is released or one that it depends on ends, which sets its alarm. */
function isKeptOut(run: {
  readonly status: RunStatus;
  readonly hold: unknown;
  readonly dependency_state: string | null;
  readonly next_pass_at: number | null;
}): boolean {
  const { hold, dependency_state: state } = run;
  const isOut = hold !== null || state === 'open' || state === 'unmet';
  return isRunPending(run.status) && isOut && run.next_pass_at === null;
}
