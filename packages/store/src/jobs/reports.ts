import type { PullProgress } from '@dstack/contract/agent';
import type { JobReport, RunSnapshot } from '@dstack/core';
import { forIds } from '../base/query.ts';
import { recordChange } from '../changes/record-change.ts';
import { isForeignKeyViolation } from '../connection/failures.ts';
import { PacedProgress } from '../connection/paced-progress.ts';
import type { Db, StoreContext, Tx } from '../context/context.ts';
import { logTable, pullTable, reportTable } from '../schema/work-tables.ts';
import type { Reports } from './types.ts';

export function createReports(context: StoreContext): Reports {
  const { db } = context;
  const progress = new PacedProgress(context);
  return {
    saveState: (hostId, state, receivedAt, extras) =>
      ignoringUnknownJob(() =>
        context.writeGrouped(async ({ tx, add, changed }) => {
          const newer = await saveState(tx, {
            jobId: state.id,
            hostId,
            state,
            receivedAt,
            seq: state.seq,
          });
          if (newer) add(extras);
          // Stages of a stop are part of the report.
          if (newer) changed(recordChange('job', state.id));
          return newer;
        }),
      ),
    async savePull(jobId, pull) {
      if (!(await ignoringUnknownJob(() => savePull(db, jobId, pull)))) return;
      context.bus.deliverChanges([recordChange('pull', jobId)]);
      progress.announce(recordChange('pull', jobId));
    },
    async saveActivity(jobId, noConnectionsSecs) {
      // The one field of a job that raises no version: it rises by itself all the time.
      await db
        .updateTable('jobs')
        .set({ inactivity_secs: noConnectionsSecs })
        .where('id', '=', jobId)
        .execute();
    },
    async saveLogEnd(jobId, stored, extras) {
      await ignoringUnknownJob(() =>
        context.writeGrouped(async ({ tx, add }) => {
          add(extras);
          await tx
            .insertInto('job_logs')
            .values(logTable.insert({ jobId, stored }))
            .onConflict((conflict) =>
              conflict
                .column('job_id')
                .doUpdateSet((eb) => ({ stored: eb.ref('excluded.stored') }))
                .whereRef('job_logs.stored', '<', 'excluded.stored'),
            )
            .execute();
          return true;
        }),
      );
    },
    byJobs: (jobIds) => reportsOf(db, jobIds),
    logEnds: (jobIds) => logEndsOf(db, jobIds),
  };
}

/** The agent may still report a job that was deleted here: its report is ignored then. */
async function ignoringUnknownJob(save: () => Promise<boolean>): Promise<boolean> {
  try {
    return await save();
  } catch (error) {
    if (isForeignKeyViolation(error)) return false;
    throw error;
  }
}

async function saveState(
  tx: Tx,
  report: Parameters<typeof reportTable.insert>[0],
): Promise<boolean> {
  const result = await tx
    .insertInto('job_reports')
    .values(reportTable.insert(report))
    .onConflict((conflict) =>
      conflict
        .column('job_id')
        .doUpdateSet((eb) => ({
          host_id: eb.ref('excluded.host_id'),
          seq: eb.ref('excluded.seq'),
          state: eb.ref('excluded.state'),
          received_at: eb.ref('excluded.received_at'),
        }))
        .whereRef('job_reports.seq', '<', 'excluded.seq'),
    )
    .executeTakeFirst();
  return result.numInsertedOrUpdatedRows === 1n;
}

async function savePull(db: Db, jobId: string, progress: PullProgress): Promise<boolean> {
  await db
    .insertInto('job_pulls')
    .values(pullTable.insert({ jobId, progress }))
    .onConflict((conflict) =>
      conflict.column('job_id').doUpdateSet((eb) => ({ progress: eb.ref('excluded.progress') })),
    )
    .execute();
  return true;
}

export async function reportsOf(db: Db | Tx, jobIds: readonly string[]): Promise<JobReport[]> {
  const rows = await forIds(jobIds, (slice) =>
    db
      .selectFrom('job_reports as r')
      .leftJoin('job_pulls as pl', 'pl.job_id', 'r.job_id')
      .selectAll('r')
      .select('pl.progress')
      .where('r.job_id', 'in', slice)
      .execute(),
  );
  return rows.map(reportOf);
}

/** The last reports of agents about these jobs, and the lengths of the stored logs. */
export async function reportedOf(
  db: Db | Tx,
  jobIds: readonly string[],
): Promise<Pick<RunSnapshot, 'reports' | 'logEnds'>> {
  const rows = await forIds(jobIds, (slice) =>
    db
      .selectFrom('jobs as j')
      .leftJoin('job_reports as r', 'r.job_id', 'j.id')
      .leftJoin('job_pulls as pl', 'pl.job_id', 'j.id')
      .leftJoin('job_logs as l', 'l.job_id', 'j.id')
      .selectAll('r')
      .select(['j.id', 'pl.progress', 'l.stored'])
      .where('j.id', 'in', slice)
      .execute(),
  );
  return {
    reports: rows.flatMap((row) => (row.job_id === null ? [] : reportOf(row))),
    logEnds: Object.fromEntries(
      rows.flatMap(({ id, stored }) => (stored === null ? [] : [[id, Number(stored)]])),
    ),
  };
}

function reportOf(row: object): JobReport {
  const { jobId, hostId, state, receivedAt } = reportTable.decode(row);
  return { jobId, hostId, state, receivedAt, pull: pullTable.decode(row).progress };
}

export async function logEndsOf(db: Db | Tx, jobIds: readonly string[]) {
  const rows = await forIds(jobIds, (slice) =>
    db.selectFrom('job_logs').selectAll().where('job_id', 'in', slice).execute(),
  );
  return rows.map(logTable.decode);
}
