import type { Id } from '@dstack/core';
import { sql } from 'kysely';
import { retireToken } from '../access/access.ts';
import { forIds, lower, notDeleted } from '../base/query.ts';
import { sameToken, tokenHash } from '../base/token-hash.ts';
import type { WriteExtras } from '../base/writes.ts';
import { userChange } from '../changes/record-change.ts';
import type { StoreContext, Write } from '../context/context.ts';
import { deletedName } from '../context/deleted-name.ts';
import { namedInsert } from '../context/named-insert.ts';
import type { UserRecord } from '../schema/account-records.ts';
import { userTable } from '../schema/account-tables.ts';
import { createIdentities, releaseIdentities } from './identities.ts';
import { countUsers, selectUsers } from './list-users.ts';
import type { NewUser, UserCredentials, Users } from './types.ts';
import { createUserKeys } from './user-keys.ts';

export function createUsers(context: StoreContext): Users {
  const { db, cipher } = context;

  async function one(column: 'id' | 'token_hash', value: string): Promise<UserRecord | null> {
    const row = await db
      .selectFrom('users')
      .selectAll()
      .where(column, '=', value)
      .executeTakeFirst();
    return row ? userTable.decode(row) : null;
  }

  async function byNames(names: readonly string[]): Promise<UserRecord[]> {
    const rows = await forIds(lower(names), (slice) =>
      db
        .selectFrom('users')
        .selectAll()
        .where(sql<string>`lower(name)`, 'in', slice)
        .where(notDeleted('deleted'))
        .execute(),
    );
    return rows.map(userTable.decode);
  }

  return {
    insert: (user, extras) => insertUser(context, user, extras),
    byId: (id) => one('id', id),
    async byIds(ids) {
      const rows = await forIds(ids, (slice) =>
        db.selectFrom('users').selectAll().where('id', 'in', slice).execute(),
      );
      return rows.map(userTable.decode);
    },
    byName: async (name) => (await byNames([name]))[0] ?? null,
    byNames,
    async byEmail(email) {
      const row = await db
        .selectFrom('users')
        .selectAll()
        .where(sql<string>`lower(email)`, '=', email.toLowerCase())
        .where(notDeleted('deleted'))
        .orderBy('created_at')
        .executeTakeFirst();
      return row ? userTable.decode(row) : null;
    },
    byToken: (token) => userByToken(context, token),
    async credentials(id) {
      const row = await db
        .selectFrom('users')
        .select(['token', 'ssh_private_key'])
        .where('id', '=', id)
        .executeTakeFirst();
      if (!row || row.token === null) return null;
      const credentials: UserCredentials = {
        token: cipher.decrypt(row.token),
        sshPrivateKey: row.ssh_private_key === null ? null : cipher.decrypt(row.ssh_private_key),
      };
      return credentials;
    },
    list: (filter) => selectUsers(db, filter),
    count: (filter) => countUsers(db, filter),
    update: (id, set, extras) =>
      context.write(async (write) => {
        write.add(extras);
        write.accessChanged([{ kind: 'user', id }]);
        write.changed(userChange(id, 'settings'));
        if (set.active === false) await releaseIdentities(write.tx, id);
        await write.tx
          .updateTable('users')
          .set(userTable.update(set))
          .where('id', '=', id)
          .execute();
      }),
    setToken: (id, token, extras, kept = null) =>
      context.write(async (write) => {
        write.add(extras);
        write.accessChanged([{ kind: 'user', id }]);
        write.changed(userChange(id, 'keys'));
        await retireToken(context, write.tx, id);
        await write.tx
          .updateTable('users')
          .set({ token: cipher.encrypt(token), token_hash: tokenHash(token) })
          .where('id', '=', id)
          .execute();
        if (kept === null) return;
        // Sessions are valid as long as the token that they were opened with.
        await write.tx
          .updateTable('sessions')
          .set({ token_hash: tokenHash(token) })
          .where('id', '=', kept)
          .where('user_id', '=', id)
          .execute();
      }),
    delete: (ids, extras) =>
      context.write(async (write) => {
        write.add(extras);
        for (const id of ids) await deleteUser(context, write, id);
      }),
    ...createUserKeys(context),
    ...createIdentities(context),
  };
}

function insertUser(context: StoreContext, user: NewUser, extras: WriteExtras | undefined) {
  const { token, sshPrivateKey, ...record } = user;
  return namedInsert(context, async (write) => {
    write.add(extras);
    write.changed(userChange(user.id, 'settings'));
    await write.tx
      .insertInto('users')
      .values({
        ...userTable.insert({ ...record, deleted: false, originalName: null }),
        token: context.cipher.encrypt(token),
        token_hash: tokenHash(token),
        ssh_private_key: sshPrivateKey === null ? null : context.cipher.encrypt(sshPrivateKey),
      })
      .execute();
  });
}

async function userByToken(context: StoreContext, token: string): Promise<UserRecord | null> {
  const row = await context.db
    .selectFrom('users')
    .selectAll()
    .where('token_hash', '=', tokenHash(token))
    .executeTakeFirst();
  if (!row || row.token === null) return null;
  const user = userTable.decode(row);
  if (!user.active || user.deleted) return null;
  return sameToken(decryptOrNull(context, row.token), token) ? user : null;
}

/** A token whose key is missing is no longer valid. */
function decryptOrNull(context: StoreContext, sealed: string): string | null {
  try {
    return context.cipher.decrypt(sealed);
  } catch (error) {
    context.logger.warn({ err: error }, 'a stored token cannot be decrypted');
    return null;
  }
}

async function deleteUser(context: StoreContext, write: Write, id: Id): Promise<void> {
  const { tx } = write;
  write.accessChanged([{ kind: 'user', id }]);
  write.changed(userChange(id, 'settings'));
  await retireToken(context, tx, id);
  await tx
    .updateTable('users')
    .set((eb) => ({
      original_name: eb.ref('name'),
      name: deletedName(context),
      active: false,
      deleted: true,
      token: null,
      token_hash: null,
    }))
    .where('id', '=', id)
    .where(notDeleted('deleted'))
    .execute();
  await releaseIdentities(tx, id);
  await tx.deleteFrom('members').where('user_id', '=', id).execute();
}
