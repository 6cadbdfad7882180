import type { StoreContext } from '../context.ts';
import { forIds } from '../query.ts';
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
        return archiveTable.decode(row);
      }),
    blobs: createBlobs(context),
  };
}

function createBlobs({ db }: StoreContext): Blobs {
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
        .values({ sha256, bytes })
        .onConflict((conflict) => conflict.column('sha256').doNothing())
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
  };
}
