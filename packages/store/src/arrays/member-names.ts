/** The names of members are reserved from the submission of their array on. */
import { arrayIndexes, memberName, parseMemberName } from '@dstack/contract';
import { isRunFinished } from '@dstack/contract/status';
import { arrayOf, type Id, type RunRecord, type Timestamp } from '@dstack/core';
import { sql } from 'kysely';
import { forIds, notDeleted } from '../base/query.ts';
import { recordChange } from '../changes/record-change.ts';
import type { StoreContext, Tx, Write } from '../context/context.ts';
import { requestLogDeletion } from '../retention/log-places.ts';
import { runTable } from '../schema/work-tables.ts';

/** The array that has not ended of which the run of this name is, or will be, a member; null = none. */
export async function reservingArray(
  tx: Tx,
  projectId: Id,
  name: string,
): Promise<RunRecord | null> {
  const parsed = parseMemberName(name);
  if (parsed === null) return null;
  const row = await tx
    .selectFrom('runs')
    .selectAll()
    .where('project_id', '=', projectId)
    .where('name', '=', parsed.array)
    .where(notDeleted('deleted'))
    .executeTakeFirst();
  const run = row === undefined ? null : runTable.decode(row);
  const array = run === null ? null : arrayOf(run.spec);
  if (run === null || array === null || isRunFinished(run.status)) return null;
  return arrayIndexes(array).includes(parsed.index) ? run : null;
}

/** The runs that are not deleted and have the name of a member of the new array. */
export async function runsInTheWay(tx: Tx, array: RunRecord): Promise<RunRecord[]> {
  const spec = arrayOf(array.spec);
  if (spec === null) return [];
  const prefix = `${array.name}-`;
  const rows = await tx
    .selectFrom('runs')
    .select(['id', 'name'])
    .where('project_id', '=', array.projectId)
    // Not by range: ranges depend on how the database orders text.
    .where(sql`substr(name, 1, ${prefix.length})`, '=', prefix)
    .where(notDeleted('deleted'))
    .execute();
  if (rows.length === 0) return [];
  const names = new Set(arrayIndexes(spec).map((index) => memberName(array.name, index)));
  const ids = rows.filter(({ name }) => names.has(name)).map(({ id }) => id);
  const found = await forIds(ids, (slice) =>
    tx.selectFrom('runs').selectAll().where('id', 'in', slice).execute(),
  );
  return found.map(runTable.decode);
}

/** Those members go with their array that `deleteSomeMembers` has left. All of them have ended, since the array has. */
export async function markMembersDeleted(
  { tx, changed }: Pick<Write, 'tx' | 'changed'>,
  arrayIds: readonly Id[],
): Promise<void> {
  const rows = await forIds(arrayIds, (slice) =>
    tx
      .updateTable('runs')
      .set({ deleted: true, version: sql`version + 1` })
      .where('array_id', 'in', slice)
      .where(notDeleted('deleted'))
      .returning(['id', 'version'])
      .execute(),
  );
  changed(...rows.map(({ id, version }) => recordChange('run', id, version)));
}

/** The place of a member in the order in which members are deleted. */
export interface MemberPlace {
  readonly submittedAt: Timestamp;
  readonly id: Id;
}

/**
 * Marks the next members of an array deleted, with their output, in a transaction of their own, which is short: all other
 * writes wait for it. Returns the last of them; null = none is left, or the array has not ended.
 */
export async function deleteSomeMembers(
  context: Pick<StoreContext, 'write' | 'now' | 'postgres'>,
  arrayId: Id,
  after: MemberPlace | null,
  limit: number,
): Promise<MemberPlace | null> {
  return await context.write(async ({ tx, changed }) => {
    const array = tx.selectFrom('runs').select('status').where('id', '=', arrayId);
    // Its failed members may be started again.
    const row = await (context.postgres ? array.forUpdate() : array).executeTakeFirst();
    if (row === undefined || !isRunFinished(row.status as RunRecord['status'])) return null;
    const from = after ?? { submittedAt: -1, id: '' };
    const members = await tx
      .selectFrom('runs')
      .select(['id', 'submitted_at'])
      .where('array_id', '=', arrayId)
      .where(sql<boolean>`(submitted_at, id) > (${from.submittedAt}, ${from.id})`)
      .where(notDeleted('deleted'))
      .orderBy('submitted_at')
      .orderBy('id')
      .limit(limit)
      .execute();
    const ids = members.map(({ id }) => id);
    const last = members.at(-1);
    if (last === undefined) return null;
    await requestLogDeletion(tx, 'run_id', ids, context.now());
    const rows = await forIds(ids, (slice) =>
      tx
        .updateTable('runs')
        .set({ deleted: true, version: sql`version + 1` })
        .where('id', 'in', slice)
        .returning(['id', 'version'])
        .execute(),
    );
    changed(...rows.map(({ id, version }) => recordChange('run', id, version)));
    return { submittedAt: Number(last.submitted_at), id: last.id };
  });
}
