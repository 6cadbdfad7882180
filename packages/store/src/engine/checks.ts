import type { Change } from '@dstack/core';
import { sql } from 'kysely';
import type { Tx } from '../context.ts';
import { localKeys } from './local-use.ts';

/**
 * Whether the records that a decision relies on without writing them are unchanged. PostgreSQL
 * keeps them unchanged until the commit.
 */
export async function checksHold(
  tx: Tx,
  changes: readonly Change[],
  postgres: boolean,
): Promise<boolean> {
  const fleets = changes.flatMap((change) => (change.type === 'fleet.check' ? [change] : []));
  // In one order, so that two transactions do not wait for each other in a circle.
  for (const { id, version } of fleets.sort((a, b) => (a.id < b.id ? -1 : 1))) {
    let fleet = tx
      .selectFrom('fleets')
      .select('id')
      .where('id', '=', id)
      .where('version', '=', version);
    if (postgres) fleet = fleet.forShare();
    if ((await fleet.executeTakeFirst()) === undefined) return false;
  }
  for (const change of changes) {
    if (change.type !== 'local.check') continue;
    if (postgres) await sql`select pg_advisory_xact_lock(${LOCAL_CAPACITY})`.execute(tx);
    if ((await localKeys(tx)).state !== change.state) return false;
  }
  return true;
}

/** Key of the lock under which slots and GPUs of the `local` backend are allocated. */
const LOCAL_CAPACITY = 0x6c_6f_63_61_6c;
