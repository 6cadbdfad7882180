import { JOB_TOKEN_PREFIX } from '@dstack/contract/wire';
import type { Id } from '@dstack/core';
import type { StoreContext, Tx } from '../context.ts';
import { tokenHash } from '../token-hash.ts';
import type { Access } from './types.ts';

export function createAccess(context: StoreContext): Access {
  const { db, bus } = context;
  return {
    onChanged: (listener) => bus.onAccessChanged(listener),
    async isToken(text) {
      // Tokens of jobs are kept nowhere; nothing else looks like them.
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
  };
}

/** To be called before a user's token is replaced or removed, in the same transaction. */
export async function retireToken(context: StoreContext, tx: Tx, userId: Id): Promise<void> {
  const row = await tx
    .selectFrom('users')
    .select('token_hash')
    .where('id', '=', userId)
    // Of two replacements at a time the second must see the token of the first.
    .$if(context.postgres, (query) => query.forUpdate())
    .executeTakeFirst();
  if (!row?.token_hash) return;
  await tx
    .insertInto('retired_tokens')
    .values({ token_hash: row.token_hash, retired_at: context.now() })
    .onConflict((conflict) => conflict.column('token_hash').doNothing())
    .execute();
}

/** To be called before tokens of programs are deleted, in the same transaction; answers their projects. */
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
