import { JOB_TOKEN_PREFIX, type ProjectRole } from '@dstack/contract/wire';
import type { Id } from '@dstack/core';
import { forIds, groupBy, notDeleted } from '../base/query.ts';
import { tokenHash } from '../base/token-hash.ts';
import type { Db, StoreContext, Tx } from '../context/context.ts';
import type { Access, UserKey } from './types.ts';

export function createAccess(context: StoreContext): Access {
  const { db, bus } = context;
  return {
    onChanged: (listener) => bus.onAccessChanged(listener),
    async isToken(text) {
      // Tokens of jobs are not stored; only they have this prefix.
      if (text.startsWith(JOB_TOKEN_PREFIX)) return true;
      const hash = tokenHash(text);
      const row = await db
        .selectFrom('users')
        .select('token_hash')
        .where('token_hash', '=', hash)
        .unionAll(
          db.selectFrom('service_tokens').select('token_hash').where('token_hash', '=', hash),
        )
        .unionAll(
          db.selectFrom('retired_tokens').select('token_hash').where('token_hash', '=', hash),
        )
        .limit(1)
        .executeTakeFirst();
      return row !== undefined;
    },
    keysOf: (projectId, roles) => keysOf(db, projectId, roles),
  };
}

async function keysOf(db: Db, projectId: Id, roles: readonly ProjectRole[]): Promise<UserKey[]> {
  const users = await db
    .selectFrom('users')
    .select(['id', 'name', 'ssh_public_key'])
    .where(notDeleted('deleted'))
    .where('active', '=', true)
    .where(({ or, eb, selectFrom }) =>
      or([
        eb('global_role', '=', 'admin'),
        eb(
          'id',
          'in',
          selectFrom('members')
            .select('user_id')
            .where('project_id', '=', projectId)
            .where('role', 'in', [...roles]),
        ),
      ]),
    )
    .execute();
  const registered = await forIds(
    users.map(({ id }) => id),
    (slice) => db.selectFrom('public_keys').selectAll().where('user_id', 'in', slice).execute(),
  );
  const registeredBy = groupBy(registered, (row) => row.user_id);
  const keys = users.flatMap(({ id, name, ssh_public_key }) => [
    ...(ssh_public_key === null ? [] : [{ user: name, key: ssh_public_key }]),
    ...(registeredBy.get(id) ?? []).map(({ key }) => ({ user: name, key })),
  ]);
  const order = ({ user, key }: UserKey) => `${user} ${key}`;
  return keys.sort((a, b) => (order(a) < order(b) ? -1 : 1));
}

/** Call before a user's token is replaced or removed, in the same transaction. */
export async function retireToken(context: StoreContext, tx: Tx, userId: Id): Promise<void> {
  const row = await tx
    .selectFrom('users')
    .select('token_hash')
    .where('id', '=', userId)
    // The second of two concurrent replacements must see the token of the first.
    .$if(context.postgres, (query) => query.forUpdate())
    .executeTakeFirst();
  if (!row?.token_hash) return;
  await tx
    .insertInto('retired_tokens')
    .values({ token_hash: row.token_hash, retired_at: context.now() })
    .onConflict((conflict) => conflict.column('token_hash').doNothing())
    .execute();
}

/** Call before service tokens are deleted, in the same transaction; returns their projects. */
export async function retireServiceTokens(
  context: StoreContext,
  tx: Tx,
  ids: readonly Id[],
): Promise<readonly Id[]> {
  const rows = await tx
    .selectFrom('service_tokens')
    .select(['token_hash', 'project_id'])
    .where('id', 'in', [...ids])
    .execute();
  if (rows.length === 0) return [];
  await tx
    .insertInto('retired_tokens')
    .values(rows.map(({ token_hash }) => ({ token_hash, retired_at: context.now() })))
    .onConflict((conflict) => conflict.column('token_hash').doNothing())
    .execute();
  return [...new Set(rows.map((row) => row.project_id))];
}
