/** Reads how long running jobs may still last whose end is not known, by earlier runs of their name. For people. */
import type { FleetRecord, Id, Occupant } from '@dstack/core';
import { sql } from 'kysely';
import { forIds, groupBy } from '../base/query.ts';
import type { Tx } from '../context/context.ts';

/** Nothing is guessed where more jobs have no known end: that is too much to read for one answer. */
const MOST_JOBS = 1000;

/** The newest runs of a project among which earlier ones of a name are looked for, and how many of them count. */
const HISTORY = { runs: 300, ofName: 10 } as const;

interface EndlessJob {
  readonly instance_id: Id;
  readonly claimed_blocks: number;
  readonly running_at: number;
  readonly project_id: Id;
  readonly name: string;
}

/** Jobs without a `max_duration` on the instances of these fleets, with the median of earlier ones as their limit. */
export async function loadGuesses(tx: Tx, fleets: readonly FleetRecord[]): Promise<Occupant[]> {
  const jobs = await endlessJobs(tx, fleets);
  if (jobs.length === 0 || jobs.length > MOST_JOBS) return [];
  const medians = new Map<string, number>();
  for (const [projectId, own] of groupBy(jobs, (job) => job.project_id)) {
    const names = [...new Set(own.map(({ name }) => name))];
    for (const [name, seconds] of await mediansOf(tx, projectId, names)) {
      medians.set(`${projectId} ${name}`, seconds);
    }
  }
  return jobs.flatMap((job): Occupant[] => {
    const seconds = medians.get(`${job.project_id} ${job.name}`);
    if (seconds === undefined) return [];
    const startedAt = Number(job.running_at);
    return [
      {
        ...{ instanceId: job.instance_id, blocks: job.claimed_blocks },
        ...{ startedAt, runningAt: startedAt, limit: { seconds, stopSeconds: 0 } },
      },
    ];
  });
}

async function endlessJobs(tx: Tx, fleets: readonly FleetRecord[]): Promise<EndlessJob[]> {
  return await forIds(
    fleets.map(({ id }) => id),
    async (slice) => {
      const { rows } = await sql<EndlessJob>`
        select j.instance_id, j.claimed_blocks, j.running_at, r.project_id, r.name
        from instances i join jobs j on j.instance_id = i.id join runs r on r.id = j.run_id
        where i.fleet_id in (${sql.join(slice)}) and not i.deleted and i.busy_blocks > 0
          and j.time_limit is null and j.running_at is not null and j.claimed_blocks > 0
          and r.service_spec is null
        limit ${sql.lit(MOST_JOBS + 1)}`.execute(tx);
      return rows;
    },
  );
}

/** Seconds from the start to the end of jobs that were done, by name. */
async function mediansOf(
  tx: Tx,
  projectId: Id,
  names: readonly string[],
): Promise<Map<string, number>> {
  const { rows } = await sql<{ name: string; running_at: number; finished_at: number }>`
    select r.name, j.running_at, j.finished_at from (
      select id, name from runs where project_id = ${projectId}
      order by submitted_at desc limit ${sql.lit(HISTORY.runs)}
    ) r join jobs j on j.run_id = r.id
    where r.name in (${sql.join(names)}) and j.status = 'done'
      and j.running_at is not null and j.finished_at is not null
    order by j.finished_at desc`.execute(tx);
  const byName = groupBy(rows, (row) => row.name);
  return new Map(
    [...byName].map(([name, own]) => {
      const seconds = own
        .slice(0, HISTORY.ofName)
        .map((row) => Math.max(0, (Number(row.finished_at) - Number(row.running_at)) / 1_000_000))
        .sort((a, b) => a - b);
      return [name, seconds[Math.floor(seconds.length / 2)] ?? 0];
    }),
  );
}
