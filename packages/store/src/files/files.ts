import { forIds } from '../base/query.ts';
import type { StoreContext } from '../context/context.ts';
import { noteUse } from '../retention/note-use.ts';
import { archiveTable } from '../schema/account-tables.ts';
import type { Blobs, Files } from './types.ts';

export function createFiles(context: StoreContext): Files {
  const { db } = context;
  return {
    async archiveByHash(userId, hash) {
      const row = await db
        .selectFrom('file_archives')
        .selectAll()
        .where('user_id', '=', userId)
        .where('hash', '=', hash)
        .executeTakeFirst();
      if (row) await noteUse(context, 'file_archives', row);
      return row ? archiveTable.decode(row) : null;
    },
    async archivesByIds(ids) {
      const rows = await forIds(ids, (slice) =>
        db.selectFrom('file_archives').selectAll().where('id', 'in', slice).execute(),
      );
      return rows.map(archiveTable.decode);
    },
    insertArchive: (archive) =>
      context.write(async ({ tx }) => {
        await tx
          .insertInto('file_archives')
          .values(archiveTable.insert(archive))
          .onConflict((conflict) => conflict.columns(['user_id', 'hash']).doNothing())
          .execute();
        const row = await tx
          .selectFrom('file_archives')
          .selectAll()
          .where('user_id', '=', archive.userId)
          .where('hash', '=', archive.hash)
          .executeTakeFirstOrThrow();
        await noteUse({ db: tx, now: context.now }, 'file_archives', row);
        return archiveTable.decode(row);
      }),
    blobs: createBlobs(context),
  };
}

function createBlobs({ db, now }: StoreContext): Blobs {
  return {
    async has(sha256) {
      const row = await db
        .selectFrom('blobs')
        .select('sha256')
        .where('sha256', '=', sha256)
        .executeTakeFirst();
      return row !== undefined;
    },
    async put(sha256, bytes) {
      await db
        .insertInto('blobs')
        .values({ sha256, bytes, stored_at: now() })
        .onConflict((conflict) => conflict.column('sha256').doUpdateSet({ stored_at: now() }))
        .execute();
    },
    async get(sha256) {
      const row = await db
        .selectFrom('blobs')
        .select('bytes')
        .where('sha256', '=', sha256)
        .executeTakeFirst();
      return row?.bytes ?? null;
    },
    async delete(sha256, storedBefore) {
      // One statement: PostgreSQL repeats the condition if the blob is stored again meanwhile.
      const result = await db
        .deleteFrom('blobs')
        .where('sha256', '=', sha256)
        .where((eb) => eb.or([eb('stored_at', 'is', null), eb('stored_at', '<', storedBefore)]))
        .executeTakeFirst();
      if (result.numDeletedRows > 0n) return true;
      return !(await this.has(sha256));
    },
  };
}
