/** Gives the groups of a report their names. */
import type { Id } from '@dstack/core';
import { forIds } from '../base/query.ts';
import type { StoreContext } from '../context/context.ts';
import { type LedgerSums, type Sum, tagValue } from './sums.ts';
import type { LedgerQuestion, LedgerRow } from './types.ts';

/** Accounts and projects keep their records when they are deleted. */
export async function ledgerRows(
  { db }: StoreContext,
  { by, tag }: LedgerQuestion,
  { sums }: LedgerSums,
): Promise<LedgerRow[]> {
  const all = [...sums.values()];
  const names = async (table: 'users' | 'projects', ids: readonly Id[]) => {
    const rows = await forIds(ids, (slice) =>
      db
        .selectFrom(table)
        .select(['id', 'original_name', 'name'])
        .where('id', 'in', slice)
        .execute(),
    );
    return new Map(rows.map((row) => [row.id, row.original_name ?? row.name]));
  };
  const byRun = by === 'run';
  const users = await names(
    'users',
    byRun || by === 'user' ? all.flatMap(({ place }) => place.run?.userId ?? []) : [],
  );
  const projects = await names(
    'projects',
    byRun || by === 'project' ? all.map(({ place }) => place.projectId) : [],
  );
  return all.map(({ place, used, idle }: Sum): LedgerRow => {
    const { run, projectId, fleetName, gpu, day, tags } = place;
    return {
      runName: byRun ? (run?.name ?? '') : null,
      projectName: byRun || by === 'project' ? (projects.get(projectId) ?? '') : null,
      userName: byRun || by === 'user' ? (users.get(run?.userId ?? '') ?? '') : null,
      fleetName: by === 'fleet' ? fleetName : null,
      gpu: by === 'gpu' ? gpu : null,
      tag: by === 'tag' ? tagValue(tags, tag) : null,
      day: by === 'day' ? day : null,
      used,
      idle,
    };
  });
}
