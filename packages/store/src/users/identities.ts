import type { Id } from '@dstack/core';
import { notDeleted } from '../base/query.ts';
import type { StoreContext, Tx } from '../context/context.ts';
import { userTable } from '../schema/account-tables.ts';
import type { UserIdentities } from './types.ts';

export function createIdentities(context: StoreContext): UserIdentities {
  return {
    async byIdentity({ issuer, subject }) {
      const row = await context.db
        .selectFrom('user_identities as i')
        .innerJoin('users as u', 'u.id', 'i.user_id')
        .where('i.issuer', '=', issuer)
        .where('i.subject', '=', subject)
        .where(notDeleted('u.deleted'))
        .selectAll('u')
        .executeTakeFirst();
      return row ? userTable.decode(row) : null;
    },
    bindIdentity: (id, { issuer, subject }, now) =>
      context.write(async ({ tx }) => {
        // An older server on the database deletes users without their identities.
        await tx
          .deleteFrom('user_identities')
          .where('issuer', '=', issuer)
          .where('subject', '=', subject)
          .where('user_id', 'in', (eb) =>
            eb.selectFrom('users').select('id').where('deleted', '=', true),
          )
          .execute();
        // Both keys decide: two servers may bind at once.
        await tx
          .insertInto('user_identities')
          .values({ issuer, subject, user_id: id, created_at: now })
          .onConflict((conflict) => conflict.doNothing())
          .execute();
        const bound = await tx
          .selectFrom('user_identities')
          .select('user_id')
          .where('issuer', '=', issuer)
          .where('subject', '=', subject)
          .executeTakeFirst();
        return bound?.user_id === id ? 'bound' : 'other-account';
      }),
  };
}

/** The next account that states the address of the user may sign in. */
export async function releaseIdentities(tx: Tx, id: Id): Promise<void> {
  await tx.deleteFrom('user_identities').where('user_id', '=', id).execute();
}
