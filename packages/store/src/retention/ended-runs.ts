import { UNFINISHED_JOB_STATUSES } from '@dstack/contract/status';
import type { Id, Timestamp } from '@dstack/core';
import { sql } from 'kysely';
import { forIds, groupBy } from '../base/query.ts';
import { recordChange } from '../changes/record-change.ts';
import type { StoreContext, Tx } from '../context/context.ts';
import { projectFolder } from './log-places.ts';
import type { EndedRun, Retention } from './types.ts';

/** Spelled like the index `runs_ended`. */
const ENDED = sql<boolean>`status in ('done', 'failed', 'terminated')`;

type EndedRuns = Pick<Retention, 'endedRuns' | 'countEndedRuns' | 'deleteRuns'>;

export function createEndedRuns(context: StoreContext): EndedRuns {
  const { db } = context;
  const ended = (projectId: Id, before: Timestamp) =>
    db
      .selectFrom('runs')
      .where('project_id', '=', projectId)
      .where(ENDED)
      // The time of the change of its status: a finished run does not change any more.
      .where('last_processed_at', '<', before);
  /** With a job that runs, or an effect that is still to be carried out (these are few). */
  const isUnderWay = sql<boolean>`id in (select run_id from jobs where id in (
    select subject_id from intents where state = 'announced'))
    or exists (select 1 from jobs j where j.run_id = runs.id
      and j.status in (${sql.join(UNFINISHED_JOB_STATUSES)}))`;
  return {
    async endedRuns(projectId, before, limits) {
      const rows = await ended(projectId, before)
        .select(['id', 'name'])
        .where(sql<boolean>`not (${isUnderWay})`)
        .orderBy('last_processed_at')
        .orderBy('id')
        .limit(limits.runs)
        .execute();
      if (rows.length === 0) return [];
      const project = await projectFolder(db, projectId);
      // One more than fits shows that the last run has more.
      const jobs = await db
        .selectFrom('jobs')
        .select(['id', 'run_id', 'provisioned_at'])
        .where(
          'run_id',
          'in',
          rows.map(({ id }) => id),
        )
        .limit(limits.jobs + 1)
        .execute();
      const isCut = jobs.length > limits.jobs;
      const ofRun = groupBy(jobs, (job) => job.run_id);
      const runs = rows.map(({ id, name }) => {
        const own = ofRun.get(id) ?? [];
        const withLog = own.filter((job) => job.provisioned_at !== null);
        const logs = withLog.map((job) => ({ project, run: name, jobId: job.id }));
        return { id, jobIds: own.map((job) => job.id), isWhole: !isCut, logs };
      });
      // A cut list has only the jobs; the runs follow when they have none left.
      return isCut ? runs.filter(({ jobIds }) => jobIds.length > 0) : runs;
    },
    async countEndedRuns(projectId, before, limit) {
      const rows = ended(projectId, before).select('id').limit(limit).as('ended');
      const row = await db
        .selectFrom(rows)
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow();
      return Number(row.count);
    },
    deleteRuns: (runs, before) =>
      context.write(async ({ tx, changed }) => {
        const ids = await deletable(context, tx, runs, before);
        const chosen = runs.filter(({ id }) => ids.has(id));
        const jobIds = chosen.flatMap((run) => run.jobIds);
        const whole = chosen.filter(({ isWhole }) => isWhole).map(({ id }) => id);
        if (chosen.length === 0) return 0;
        await keepUploadsForAWhile(tx, whole, context.now());
        await deleteIntents(tx, [...jobIds, ...whole]);
        await forIds(jobIds, async (slice) => {
          await tx.deleteFrom('jobs').where('id', 'in', slice).execute();
          return [];
        });
        await forIds(whole, async (slice) => {
          await tx.deleteFrom('runs').where('id', 'in', slice).execute();
          return [];
        });
        changed(
          ...jobIds.map((id) => recordChange('job', id)),
          ...chosen.map(({ id }) => recordChange('run', id)),
        );
        return jobIds.length + whole.length;
      }),
  };
}

/** Those that are still due, have no job that runs and no effect that is still to be carried out. */
async function deletable(
  { postgres }: StoreContext,
  tx: Tx,
  runs: readonly EndedRun[],
  before: Timestamp,
): Promise<ReadonlySet<Id>> {
  const ids = runs.map(({ id }) => id);
  const found = await forIds(ids, (slice) => {
    const query = tx
      .selectFrom('runs')
      .select('id')
      .where('id', 'in', slice)
      .where(ENDED)
      .where('last_processed_at', '<', before);
    return (postgres ? query.forUpdate() : query).execute();
  });
  const busy = await forIds(ids, (slice) =>
    tx
      .selectFrom('jobs')
      .select('run_id as id')
      .where('run_id', 'in', slice)
      .where('status', 'in', UNFINISHED_JOB_STATUSES)
      .execute(),
  );
  const subjects = runs.flatMap(({ id, jobIds }) => [id, ...jobIds]);
  const announced = await forIds(subjects, (slice) =>
    tx
      .selectFrom('intents')
      .select('subject_id as id')
      .where('subject_id', 'in', slice)
      .where('state', '=', 'announced')
      .execute(),
  );
  const underWay = new Set([...busy, ...announced].map(({ id }) => id));
  const isFree = ({ id, jobIds }: EndedRun) =>
    !underWay.has(id) && !jobIds.some((jobId) => underWay.has(jobId));
  const still = new Set(found.map(({ id }) => id));
  return new Set(runs.filter((run) => still.has(run.id) && isFree(run)).map(({ id }) => id));
}

/** Uploads outlive the last run that names them: their age counts from here. */
async function keepUploadsForAWhile(tx: Tx, runIds: readonly Id[], now: Timestamp): Promise<void> {
  const named = await forIds(runIds, (slice) =>
    tx.selectFrom('upload_uses').select('upload').where('run_id', 'in', slice).execute(),
  );
  for (const table of ['codes', 'file_archives'] as const) {
    await forIds(
      named.map(({ upload }) => upload),
      async (slice) => {
        await tx.updateTable(table).set({ used_at: now }).where('id', 'in', slice).execute();
        return [];
      },
    );
  }
}

/** They have no reference to their subjects, which are of several kinds. */
export async function deleteIntents(tx: Tx, subjectIds: readonly string[]): Promise<void> {
  await forIds(subjectIds, async (slice) => {
    await tx.deleteFrom('intents').where('subject_id', 'in', slice).execute();
    return [];
  });
}
