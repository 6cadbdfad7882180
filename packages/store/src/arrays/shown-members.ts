/** The members that clients without arrays see as jobs of the array's run. */
import type { ArrayRecord, Id, JobRecord, RunStatus } from '@dstack/core';
import type { Db } from '../context.ts';

/** The most of one array in a list of runs, and where one run is read. */
export const SHOWN_MEMBERS = { list: 10, one: 100 } as const;

/** Which come first: those that something happens to, then those that need a look. */
const ORDER: readonly RunStatus[] = [
  ...(['running', 'terminating', 'provisioning', 'failed', 'submitted', 'pending'] as const),
  ...(['done', 'terminated'] as const),
];

/** By id, with the index; `limit` at most. Each query reads no more rows than it returns. */
export async function shownMembers(
  db: Db,
  { id, members }: ArrayRecord,
  limit: number,
): Promise<Map<Id, number>> {
  const found = new Map<Id, number>();
  for (const status of ORDER) {
    if (members[status] === 0 || found.size >= limit) continue;
    const rows = await db
      .selectFrom('runs')
      .select(['id', 'array_index'])
      .where('array_id', '=', id)
      .where('status', '=', status)
      .orderBy('array_index')
      .limit(limit - found.size)
      .execute();
    for (const row of rows) found.set(row.id, row.array_index ?? 0);
  }
  return found;
}

/** A job of a member as a job of its array: the index is the number of its replica. */
export function asReplica(job: JobRecord, arrayId: Id, index: number): JobRecord {
  return {
    ...job,
    runId: arrayId,
    replicaNum: index,
    spec: { ...job.spec, replica_num: index },
  };
}
