/** Keys with which users log in to their runs: the server's pair, and their own. */
import { UNFINISHED_RUN_STATUSES } from '@dstack/contract/status';
import type { Id } from '@dstack/core';
import { sql } from 'kysely';
import { forIds } from '../base/query.ts';
import { recordChange, userChange } from '../changes/record-change.ts';
import type { StoreContext, Write } from '../context/context.ts';
import { namedInsert } from '../context/named-insert.ts';
import { publicKeyTable } from '../schema/account-tables.ts';
import { runTable } from '../schema/work-tables.ts';
import type { Users } from './types.ts';

type UserKeys = Pick<Users, 'setSshKeys' | 'publicKeys' | 'addPublicKey' | 'deletePublicKeys'>;

export function createUserKeys(context: StoreContext): UserKeys {
  const { cipher } = context;
  return {
    setSshKeys: (id, keys, extras) =>
      context.write(async (write) => {
        write.add(extras);
        write.accessChanged([{ kind: 'user', id }]);
        write.changed(userChange(id, 'keys'));
        await replaceInRuns(context, write, id, keys.publicKey);
        await write.tx
          .updateTable('users')
          .set({
            ssh_public_key: keys.publicKey,
            ssh_private_key: cipher.encrypt(keys.privateKey),
          })
          .where('id', '=', id)
          .execute();
      }),
    async publicKeys(userId) {
      const rows = await context.db
        .selectFrom('public_keys')
        .selectAll()
        .where('user_id', '=', userId)
        .orderBy('added_at', 'desc')
        .orderBy('id')
        .execute();
      return rows.map(publicKeyTable.decode);
    },
    addPublicKey: (key, extras) =>
      namedInsert(context, async (write) => {
        write.add(extras);
        write.accessChanged([{ kind: 'user', id: key.userId }]);
        write.changed(userChange(key.userId, 'keys'));
        await write.tx.insertInto('public_keys').values(publicKeyTable.insert(key)).execute();
      }),
    deletePublicKeys: (userId, ids, extras) =>
      context.write(async (write) => {
        const rows = await forIds(ids, (slice) =>
          write.tx
            .deleteFrom('public_keys')
            .where('user_id', '=', userId)
            .where('id', 'in', slice)
            .returningAll()
            .execute(),
        );
        if (rows.length === 0) return;
        write.accessChanged([{ kind: 'user', id: userId }]);
        write.changed(userChange(userId, 'keys'));
        write.add(extras?.(rows.map(publicKeyTable.decode)));
      }),
  };
}

/**
 * Replaces the earlier key in unfinished runs, so that it no longer opens them. On PostgreSQL the
 * user and the runs are locked first: a spec that another server writes meanwhile must not be lost,
 * and the second of two replacements must find the key of the first.
 */
async function replaceInRuns(
  context: StoreContext,
  { tx, changed }: Write,
  userId: Id,
  publicKey: string,
): Promise<void> {
  const user = await tx
    .selectFrom('users')
    .select('ssh_public_key')
    .where('id', '=', userId)
    .$if(context.postgres, (query) => query.forNoKeyUpdate())
    .executeTakeFirst();
  const earlier = user?.ssh_public_key;
  if (!earlier) return;
  const rows = await tx
    .selectFrom('runs')
    .selectAll()
    .where('user_id', '=', userId)
    .where('status', 'in', UNFINISHED_RUN_STATUSES)
    .orderBy('id')
    .$if(context.postgres, (query) => query.forNoKeyUpdate())
    .execute();
  for (const run of rows.map(runTable.decode)) {
    if (run.spec.ssh_key_pub !== earlier) continue;
    const spec = { ...run.spec, ssh_key_pub: publicKey };
    changed(recordChange('run', run.id, run.version + 1));
    await tx
      .updateTable('runs')
      .set({ ...runTable.update({ spec }), version: sql`version + 1` })
      .where('id', '=', run.id)
      .execute();
  }
}
