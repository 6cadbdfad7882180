import { sql } from 'kysely';
import { containsIgnoringCase, keyset, notDeleted } from '../base/query.ts';
import type { Db } from '../context/context.ts';
import type { UserRecord } from '../schema/account-records.ts';
import { userTable } from '../schema/account-tables.ts';
import type { UserFilter } from './types.ts';

export async function selectUsers(db: Db, filter: UserFilter): Promise<UserRecord[]> {
  const order = keyset(filter.page, 'users.created_at', 'users.id');
  const rows = await matching(db, filter)
    .selectAll()
    .$if(order.condition !== null, (query) => query.where(order.condition ?? sql<boolean>`true`))
    .orderBy('created_at', order.timeOrder)
    .orderBy('id', order.idOrder)
    .$if(filter.page?.limit !== undefined, (query) => query.limit(filter.page?.limit ?? 0))
    .execute();
  return rows.map(userTable.decode);
}

export async function countUsers(db: Db, filter: UserFilter): Promise<number> {
  const row = await matching(db, filter)
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

function matching(db: Db, filter: UserFilter) {
  let query = db.selectFrom('users').where(notDeleted('deleted'));
  if (filter.onlyId) query = query.where('id', '=', filter.onlyId);
  if (filter.namePattern) query = query.where(containsIgnoringCase('name', filter.namePattern));
  return query;
}
