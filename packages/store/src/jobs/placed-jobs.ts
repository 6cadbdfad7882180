/** The jobs on instances, with whose they are and how long they may stay. */
import { UNFINISHED_JOB_STATUSES } from '@dstack/contract/status';
import type { Id, NoticeRecord, TimeLimit } from '@dstack/core';
import { forIds } from '../base/query.ts';
import type { Db } from '../context/context.ts';
import type { PlacedJob, PlacedJobs } from './types.ts';

/** See `Jobs.placed`. Without the specifications of the jobs, which are most of a row. */
export async function placedJobs(
  db: Db,
  instanceIds: readonly Id[],
  limit: number,
): Promise<PlacedJobs> {
  const counts = await countsOn(db, instanceIds);
  const whole: Id[] = [];
  const incomplete: Id[] = [];
  let left = limit;
  for (const id of new Set(instanceIds)) {
    const count = counts.get(id) ?? 0;
    if (count === 0) continue;
    const fits = count <= left;
    (fits ? whole : incomplete).push(id);
    if (fits) left -= count;
  }
  return { jobs: await jobsOn(db, whole), incomplete };
}

async function countsOn(db: Db, instanceIds: readonly Id[]): Promise<Map<Id, number>> {
  const rows = await forIds(instanceIds, (slice) =>
    db
      .selectFrom('jobs')
      .select('instance_id')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('instance_id', 'in', slice)
      .where('status', 'in', UNFINISHED_JOB_STATUSES)
      .groupBy('instance_id')
      .execute(),
  );
  return new Map(rows.map((row) => [row.instance_id ?? '', Number(row.count)]));
}

async function jobsOn(db: Db, instanceIds: readonly Id[]): Promise<PlacedJob[]> {
  const rows = await forIds(instanceIds, (slice) =>
    db
      .selectFrom('jobs as j')
      .innerJoin('runs as r', 'r.id', 'j.run_id')
      .innerJoin('users as u', 'u.id', 'r.user_id')
      .select(['j.name', 'j.instance_id', 'j.project_id', 'j.run_id', 'j.claimed_blocks'])
      .select(['j.provisioned_at', 'j.running_at', 'j.time_limit', 'j.notice'])
      .select(['r.name as run_name', 'u.name as user_name'])
      .where('j.instance_id', 'in', slice)
      .where('j.status', 'in', UNFINISHED_JOB_STATUSES)
      .orderBy('j.submitted_at')
      .orderBy('j.id')
      .execute(),
  );
  return rows.map((row) => ({
    ...{ name: row.name, runId: row.run_id, runName: row.run_name, userName: row.user_name },
    ...{ projectId: row.project_id, instanceId: row.instance_id ?? '' },
    blocks: row.claimed_blocks,
    provisionedAt: timeOf(row.provisioned_at),
    runningAt: timeOf(row.running_at),
    timeLimit: parsed<TimeLimit>(row.time_limit),
    notice: parsed<NoticeRecord>(row.notice),
  }));
}

const timeOf = (value: number | null) => (value === null ? null : Number(value));

const parsed = <T>(value: unknown): T | null =>
  value === null ? null : (JSON.parse(String(value)) as T);
