import type { RemoteRepoCreds } from '@dstack/contract/wire';
import type { StoreContext } from '../context/context.ts';
import { noteUse } from '../retention/note-use.ts';
import { codeTable, repoTable } from '../schema/account-tables.ts';
import type { ProjectRepos } from './types.ts';

/** Credentials without a user belong to the whole project. */
const SHARED = '';

export function createRepos(context: StoreContext): ProjectRepos {
  const { db, cipher } = context;
  return {
    async list(projectId) {
      const rows = await db
        .selectFrom('repos')
        .selectAll()
        .where('project_id', '=', projectId)
        .orderBy('repo_id')
        .execute();
      return rows.map(repoTable.decode);
    },
    async byRepoId(projectId, repoId) {
      const row = await db
        .selectFrom('repos')
        .selectAll()
        .where('project_id', '=', projectId)
        .where('repo_id', '=', repoId)
        .executeTakeFirst();
      return row ? repoTable.decode(row) : null;
    },
    async upsert(repo) {
      const row = await db
        .insertInto('repos')
        .values(repoTable.insert(repo))
        .onConflict((conflict) =>
          conflict
            .columns(['project_id', 'repo_id'])
            .doUpdateSet((eb) => ({ info: eb.ref('excluded.info') })),
        )
        .returningAll()
        .executeTakeFirstOrThrow();
      return repoTable.decode(row);
    },
    async delete(projectId, repoIds) {
      if (repoIds.length === 0) return;
      await db
        .deleteFrom('repos')
        .where('project_id', '=', projectId)
        .where('repo_id', 'in', [...repoIds])
        .execute();
    },
    async credentials(repo, userId) {
      const row = await db
        .selectFrom('repo_creds')
        .select('creds')
        .where('repo_id', '=', repo)
        .where('user_key', '=', userId ?? SHARED)
        .executeTakeFirst();
      return row ? (JSON.parse(cipher.decrypt(row.creds)) as RemoteRepoCreds) : null;
    },
    async setCredentials(repo, userId, creds) {
      const key = userId ?? SHARED;
      if (creds === null) {
        await db
          .deleteFrom('repo_creds')
          .where('repo_id', '=', repo)
          .where('user_key', '=', key)
          .execute();
        return;
      }
      await db
        .insertInto('repo_creds')
        .values({ repo_id: repo, user_key: key, creds: cipher.encrypt(JSON.stringify(creds)) })
        .onConflict((conflict) =>
          conflict
            .columns(['repo_id', 'user_key'])
            .doUpdateSet((eb) => ({ creds: eb.ref('excluded.creds') })),
        )
        .execute();
    },
    async code(repo, hash) {
      const row = await db
        .selectFrom('codes')
        .selectAll()
        .where('repo_id', '=', repo)
        .where('hash', '=', hash)
        .executeTakeFirst();
      return row ? codeTable.decode(row) : null;
    },
    insertCode: (code) =>
      context.write(async ({ tx }) => {
        await tx
          .insertInto('codes')
          .values(codeTable.insert(code))
          .onConflict((conflict) => conflict.columns(['repo_id', 'hash']).doNothing())
          .execute();
        const row = await tx
          .selectFrom('codes')
          .selectAll()
          .where('repo_id', '=', code.repoId)
          .where('hash', '=', code.hash)
          .executeTakeFirstOrThrow();
        await noteUse({ db: tx, now: context.now }, 'codes', row);
        return codeTable.decode(row);
      }),
  };
}
