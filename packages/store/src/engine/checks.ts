import type { Change } from '@dstack/core';
import { sql } from 'kysely';
import { forIds } from '../base/query.ts';
import type { Tx } from '../context/context.ts';
import { localStates } from './local-use.ts';

/**
 * Whether the records that a decision relies on without writing them are unchanged. PostgreSQL
 * keeps them unchanged until the commit.
 */
export async function checksHold(
  tx: Tx,
  changes: readonly Change[],
  postgres: boolean,
): Promise<boolean> {
  for (const { table, ids } of checkedRows(changes)) {
    for (const [id, version] of ids) {
      let row = tx
        .selectFrom(table)
        .select('id')
        .where('id', '=', id)
        .where('version', '=', version);
      if (postgres) row = row.forShare();
      if ((await row.executeTakeFirst()) === undefined) return false;
    }
  }
  const machines = changes.filter((change) => change.type === 'local.check');
  if (machines.length === 0) return true;
  if (postgres) await sql`select pg_advisory_xact_lock(${LOCAL_CAPACITY})`.execute(tx);
  const stateOf = await localStates(tx);
  return machines.every(({ hostId, state }) => stateOf(hostId) === state);
}

/**
 * Whether the runs have the priorities that a decision relies on. Called after the rows are written: passes of runs
 * write their jobs first too, so that two transactions do not wait for each other in a circle.
 */
export async function prioritiesHold(
  tx: Tx,
  changes: readonly Change[],
  postgres: boolean,
): Promise<boolean> {
  const expected = new Map(
    changes.flatMap((change) =>
      change.type === 'run.check' ? [[change.id, change.priority] as const] : [],
    ),
  );
  if (expected.size === 0) return true;
  const rows = await forIds([...expected.keys()].sort(), (slice) => {
    const runs = tx.selectFrom('runs').select(['id', 'priority']).where('id', 'in', slice);
    return (postgres ? runs.orderBy('id').forShare() : runs).execute();
  });
  const isExpected = ({ id, priority }: (typeof rows)[number]) => expected.get(id) === priority;
  return rows.length === expected.size && rows.every(isExpected);
}

/** In one order, so that two transactions do not wait for each other in a circle. */
function checkedRows(changes: readonly Change[]) {
  const idsOf = (type: 'fleet.check' | 'instance.check' | 'pool.check') =>
    changes
      .flatMap((change) => (change.type === type ? [[change.id, change.version] as const] : []))
      .sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    { table: 'pools', ids: idsOf('pool.check') },
    { table: 'fleets', ids: idsOf('fleet.check') },
    { table: 'instances', ids: idsOf('instance.check') },
  ] as const;
}

/** Key of the lock under which slots and GPUs of the `local` backend are allocated. */
const LOCAL_CAPACITY = 0x6c_6f_63_61_6c;
