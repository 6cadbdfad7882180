import type { RunSpec } from '@dstack/contract/wire';
import type { Id } from '@dstack/core';
import { sql } from 'kysely';
import { forIds, groupBy } from '../base/query.ts';
import type { StoreContext, Tx } from '../context/context.ts';
import { runTable } from '../schema/work-tables.ts';
import type { Retention } from './types.ts';

type Uploads = Pick<Retention, 'noteUploads' | 'deleteUploads'>;

/** Spelled like the index `runs_unnoted`. */
const UNNOTED = sql<boolean>`noted_deployment < deployment_num`;

export function createUploadRetention(context: StoreContext): Uploads {
  const { db } = context;
  const unnoted = (reader: typeof db | Tx) => reader.selectFrom('runs').where(UNNOTED);
  return {
    noteUploads: (limit) =>
      context.write(async ({ tx }) => {
        const rows = await unnoted(tx)
          .select(['id', 'project_id', 'spec', 'rollout', 'deployment_num'])
          .orderBy('id')
          .limit(limit)
          .execute();
        for (const row of rows) {
          const { rollout, spec } = runTable.decode(row);
          const specs = rollout?.previous ? [spec, rollout.previous.spec] : [spec];
          for (const upload of await uploadsOf(tx, row.project_id, specs)) {
            await tx
              .insertInto('upload_uses')
              .values({ run_id: row.id, upload })
              .onConflict((conflict) => conflict.columns(['run_id', 'upload']).doNothing())
              .execute();
          }
        }
        // A deployment that came after the row was read is noted next.
        for (const [deployment, noted] of groupBy(rows, (row) => row.deployment_num)) {
          await forIds(
            noted.map(({ id }) => id),
            async (slice) => {
              await tx
                .updateTable('runs')
                .set({ noted_deployment: deployment })
                .where('id', 'in', slice)
                .execute();
              return [];
            },
          );
        }
        return rows.length;
      }),
    deleteUploads: (usedBefore, limit) =>
      context.write(async ({ tx }) => {
        if ((await unnoted(tx).select('id').limit(1).execute()).length > 0) return 0;
        const counts = [];
        for (const table of ['codes', 'file_archives'] as const) {
          counts.push(await deleteOf(tx, table, { usedBefore, limit, now: context.now() }));
        }
        return counts.reduce((sum, count) => sum + count, 0);
      }),
  };
}

/** Returns how many uploads it has looked at. */
async function deleteOf(
  tx: Tx,
  table: 'codes' | 'file_archives',
  { usedBefore, limit, now }: { readonly usedBefore: number; readonly limit: number; now: number },
): Promise<number> {
  const { rows } = await sql<{ id: Id; sha256: string; named: number | boolean }>`
    select id, sha256, exists(select 1 from upload_uses where upload = u.id) as named
    from ${sql.table(table)} u where coalesce(used_at, created_at) < ${usedBefore}
    order by coalesce(used_at, created_at) limit ${sql.lit(limit)}`.execute(tx);
  const named = rows.filter((row) => Boolean(row.named));
  const unnamed = rows.filter((row) => !row.named);
  // They are looked at again after the same time, so that uploads in use do not slow each step down.
  await forIds(
    named.map(({ id }) => id),
    async (slice) => {
      await tx.updateTable(table).set({ used_at: now }).where('id', 'in', slice).execute();
      return [];
    },
  );
  for (const { id, sha256 } of unnamed) {
    await tx.deleteFrom(table).where('id', '=', id).execute();
    await tx
      .insertInto('pending_deletions')
      .values({ kind: 'blob', key: sha256, project: '', run: '', due_at: now })
      .onConflict((conflict) => conflict.columns(['kind', 'key']).doNothing())
      .execute();
  }
  return rows.length;
}

async function uploadsOf(tx: Tx, projectId: Id, specs: readonly RunSpec[]): Promise<Set<Id>> {
  const archives = specs.flatMap((spec) => (spec.file_archives ?? []).map(({ id }) => id));
  const known = await forIds(archives, (slice) =>
    tx.selectFrom('file_archives').select('id').where('id', 'in', slice).execute(),
  );
  const ids = new Set(known.map(({ id }) => id));
  for (const { repo_id, repo_code_hash } of specs) {
    if (!repo_code_hash) continue;
    const row = await tx
      .selectFrom('codes as c')
      .innerJoin('repos as r', 'r.id', 'c.repo_id')
      .select('c.id')
      .where('r.project_id', '=', projectId)
      .where('r.repo_id', '=', repo_id ?? '')
      .where('c.hash', '=', repo_code_hash)
      .executeTakeFirst();
    if (row) ids.add(row.id);
  }
  return ids;
}
