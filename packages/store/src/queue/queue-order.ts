/** The order of the queue (`ORDER` in `core`) as SQL, on rows of `jobs`. */
import { type JobRecord, ORDER, type Rank } from '@dstack/core';
import { type RawBuilder, type SqlBool, sql } from 'kysely';

const COLUMNS: Readonly<Record<keyof Rank, string>> = {
  priority: 'priority',
  queuedAt: 'queued_at',
  runId: 'run_id',
  replicaNum: 'replica_num',
};

/** The list after `order by`; the index `jobs_queued` has it too. */
export function queueOrder(alias?: string): RawBuilder<unknown> {
  const terms = ORDER.map(({ field, isDescending }) => {
    const column = sql.ref(alias ? `${alias}.${COLUMNS[field]}` : COLUMNS[field]);
    return isDescending ? sql`${column} desc` : column;
  });
  return sql.join(terms);
}

/**
 * Whether a row comes before this rank. Criteria of one direction are compared as one row, by which
 * an index can be entered.
 */
export function isAheadOf(rank: Rank): RawBuilder<SqlBool> {
  return (
    groupsOfOneDirection().reduceRight<RawBuilder<SqlBool> | null>((rest, group) => {
      const columns = sql.join(group.fields.map((field) => sql.ref(COLUMNS[field])));
      const values = sql.join(group.fields.map((field) => sql`${rank[field]}`));
      const before = group.isDescending
        ? sql<SqlBool>`(${columns}) > (${values})`
        : sql<SqlBool>`(${columns}) < (${values})`;
      if (rest === null) return before;
      return sql<SqlBool>`(${before} or ((${columns}) = (${values}) and ${rest}))`;
    }, null) ?? sql<SqlBool>`false`
  );
}

interface Group {
  readonly isDescending: boolean;
  readonly fields: (keyof Rank)[];
}

function groupsOfOneDirection(): Group[] {
  const groups: Group[] = [];
  for (const { field, isDescending } of ORDER) {
    const last = groups.at(-1);
    if (last?.isDescending === isDescending) last.fields.push(field);
    else groups.push({ isDescending, fields: [field] });
  }
  return groups;
}

interface RankRow {
  readonly priority: number;
  readonly queued_at: number;
  readonly run_id: string;
  readonly replica_num: number;
}

export const rankOfRow = (row: RankRow): Rank => ({
  priority: row.priority,
  queuedAt: Number(row.queued_at),
  runId: row.run_id,
  replicaNum: row.replica_num,
});

/** The rank that is stored with a job. */
export const rankOfJob = ({ priority, queuedAt, runId, replicaNum }: JobRecord): Rank => ({
  ...{ priority, queuedAt, runId, replicaNum },
});
