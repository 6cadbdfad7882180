/** The names of members are reserved from the submission of their array on. */
import { arrayIndexes, memberName, parseMemberName } from '@dstack/contract';
import { isRunFinished } from '@dstack/contract/status';
import { arrayOf, type Id, type RunRecord } from '@dstack/core';
import { sql } from 'kysely';
import { recordChange } from '../changes/record-change.ts';
import type { Tx, Write } from '../context.ts';
import { forIds, notDeleted } from '../query.ts';
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

/** The members go with their array. All of them have ended, since the array has. */
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
