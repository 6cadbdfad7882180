import type { Id } from '@dstack/core';
import { notDeleted } from '../base/query.ts';
import { sameToken, tokenHash } from '../base/token-hash.ts';
import { userChange } from '../changes/record-change.ts';
import type { StoreContext, Tx } from '../context/context.ts';
import { sessionTable, userTable } from '../schema/account-tables.ts';
import type { Sessions } from './types.ts';

/** More browsers than a person uses. */
const MOST_PER_USER = 50;

export function createSessions(context: StoreContext): Sessions {
  const { db } = context;
  return {
    open: (session, { key, secret, token }) =>
      context.write<'opened' | 'refused'>(async ({ tx, changed, abort }) => {
        changed(userChange(session.userId, 'sessions'));
        const hash = tokenHash(token);
        const user = await tx
          .selectFrom('users')
          .select('token_hash')
          .where('id', '=', session.userId)
          // A replacement of the token at the same time waits, and then ends this session too.
          .$if(context.postgres, (query) => query.forUpdate())
          .executeTakeFirst();
        if (user?.token_hash !== hash) return abort('refused');
        await tx
          .insertInto('sessions')
          .values({
            ...sessionTable.insert(session),
            key_hash: tokenHash(key),
            secret_hash: tokenHash(secret),
            token_hash: hash,
          })
          .execute();
        await endUnused(tx, session.userId);
        return 'opened';
      }),
    async find({ key, secrets }, now) {
      const row = await db
        .selectFrom('sessions')
        .innerJoin('users', (join) =>
          join
            .onRef('users.id', '=', 'sessions.user_id')
            .onRef('users.token_hash', '=', 'sessions.token_hash'),
        )
        .selectAll('users')
        .select([
          'sessions.id as session_id',
          'sessions.secret_hash as secret_hash',
          'sessions.persistent as persistent',
          'sessions.created_at as session_created_at',
          'sessions.last_used_at as last_used_at',
          'sessions.expires_at as expires_at',
        ])
        .where('sessions.key_hash', '=', tokenHash(key))
        .where('sessions.expires_at', '>', now)
        .where(notDeleted('users.deleted'))
        .executeTakeFirst();
      if (!row) return null;
      const isProven = secrets.some((secret) => sameToken(row.secret_hash, tokenHash(secret)));
      const user = userTable.decode(row);
      if (!isProven || !user.active) return null;
      const session = sessionTable.decode({
        ...row,
        id: row.session_id,
        user_id: user.id,
        created_at: row.session_created_at,
      });
      return { session, user };
    },
    async extend(id, times) {
      await db
        .updateTable('sessions')
        .set(sessionTable.update(times))
        .where('id', '=', id)
        .execute();
    },
    end: ({ id, userId }) =>
      context.write(async ({ tx, changed, accessChanged }) => {
        accessChanged([{ kind: 'user', id: userId }]);
        changed(userChange(userId, 'sessions'));
        await tx.deleteFrom('sessions').where('id', '=', id).execute();
      }),
    endAll: (userId) =>
      context.write(async ({ tx, changed, accessChanged }) => {
        accessChanged([{ kind: 'user', id: userId }]);
        changed(userChange(userId, 'sessions'));
        await tx.deleteFrom('sessions').where('user_id', '=', userId).execute();
      }),
    async deleteInvalid(before) {
      const result = await db
        .deleteFrom('sessions')
        .where((eb) =>
          eb.or([
            eb('expires_at', '<', before),
            eb.not(
              eb.exists(
                eb
                  .selectFrom('users')
                  .select('users.id')
                  .whereRef('users.id', '=', 'sessions.user_id')
                  .whereRef('users.token_hash', '=', 'sessions.token_hash'),
              ),
            ),
          ]),
        )
        .executeTakeFirst();
      return Number(result.numDeletedRows);
    },
  };
}

async function endUnused(tx: Tx, userId: Id): Promise<void> {
  const rows = await tx
    .selectFrom('sessions')
    .select('id')
    .where('user_id', '=', userId)
    .orderBy('last_used_at', 'desc')
    .offset(MOST_PER_USER)
    .limit(MOST_PER_USER)
    .execute();
  if (rows.length === 0) return;
  const ids = rows.map(({ id }) => id);
  await tx.deleteFrom('sessions').where('id', 'in', ids).execute();
}
