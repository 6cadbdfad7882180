/** The members that clients without arrays see as jobs of the array's run. */
import type { ArrayRecord, Id, JobRecord, RunStatus } from '@dstack/core';
import { sql } from 'kysely';
import { forIds } from '../base/query.ts';
import type { Db } from '../context/context.ts';

/** The most of one array in a list of runs, and where one run is read. */
export const SHOWN_MEMBERS = { list: 10, one: 100 } as const;

/** Which come first: those that something happens to, then those that need a look. */
const ORDER: readonly RunStatus[] = [
  ...(['running', 'terminating', 'provisioning', 'failed', 'submitted', 'pending'] as const),
  ...(['done', 'terminated'] as const),
];

/** Their ids, `limit` at most of each array. Each search reads no more rows than it returns. */
export async function shownMembers(
  db: Db,
  arrays: readonly ArrayRecord[],
  limit: number,
): Promise<Id[]> {
  const rows = await forIds(
    arrays.flatMap((array) => searchesFor(array, limit)),
    async (slice) => {
      const searches = slice.map((one) => sql`select * from (${firstMembers(db, one)}) own`);
      const all = sql<{ readonly id: Id }>`${sql.join(searches, sql` union all `)}`;
      return (await all.execute(db)).rows;
    },
    SEARCHES_IN_SLICE,
  );
  return rows.map(({ id }) => id);
}

/** SQLite compiles at most 500 parts of one statement. */
const SEARCHES_IN_SLICE = 128;

/** The members of one status, by index. */
interface Search {
  readonly arrayId: Id;
  readonly status: RunStatus;
  readonly limit: number;
}

/** The statuses in whose order the members fill the limit. */
function searchesFor({ id, members }: ArrayRecord, limit: number): Search[] {
  const searches: Search[] = [];
  let left = limit;
  for (const status of ORDER) {
    if (members[status] === 0 || left <= 0) continue;
    const most = Math.min(left, members[status]);
    searches.push({ arrayId: id, status, limit: most });
    left -= most;
  }
  return searches;
}

const firstMembers = (db: Db, { arrayId, status, limit }: Search) =>
  db
    .selectFrom('runs')
    .select('id')
    .where('array_id', '=', arrayId)
    .where('status', '=', status)
    .orderBy('array_index')
    .limit(limit);

/** A job of a member as a job of its array: the index is the number of its replica. */
export function asReplica(job: JobRecord, arrayId: Id, index: number): JobRecord {
  return {
    ...job,
    runId: arrayId,
    replicaNum: index,
    spec: { ...job.spec, replica_num: index },
  };
}
