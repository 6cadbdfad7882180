import { isRunAlive, isRunFinished, isRunRunning } from '@dstack/contract/status';
import type { Job, Run } from '@dstack/contract/wire';
import type { Cli, Connection } from '../context.ts';
import { CliError, EXIT } from '../errors.ts';
import { findRun } from './get-run.ts';
import { findJob, isRunningNow } from './run-status.ts';
import { StartProgress } from './start-progress.ts';
import { watchUntil } from './watch-until.ts';

export interface JobChoice {
  readonly run: string;
  readonly replica: number | null;
  /** Null: 0. */
  readonly job: number | null;
}

/** The run once it was placed. Throws if it has ended. */
export async function liveRun(name: string, connection: Connection, cli: Cli): Promise<Run> {
  const run = await started(await findRun(connection, name), connection, cli);
  if (!isRunFinished(run.status)) return run;
  throw new CliError(`Run ${name} is ${run.status}`, { next: `dstack logs ${name}` });
}

const hasStarted = (run: Run): boolean => !isRunAlive(run.status) || isRunRunning(run.status);

/** Waits until the run has been placed, or has ended without being placed. */
export async function started(run: Run, connection: Connection, cli: Cli): Promise<Run> {
  if (hasStarted(run)) return run;
  const progress = new StartProgress(cli);
  const name = run.run_spec.run_name ?? '';
  try {
    return await watchUntil(connection, name, cli.signal, hasStarted, (r) =>
      progress.show(r, null),
    );
  } finally {
    progress.stop();
  }
}

/**
 * The job with the given numbers; else the first one of the first running replica; else of the
 * first replica.
 */
export function chooseJob(run: Run, options: JobChoice): Job {
  const number = options.job ?? 0;
  const candidates = run.jobs.filter((job) => job.job_spec.job_num === number);
  const running = candidates.find(isRunningNow);
  const job =
    options.replica === null ? (running ?? candidates[0]) : findJob(run, options.replica, number);
  if (job !== undefined) return job;
  throw new CliError(`Run ${options.run} has no such job`, {
    exitCode: EXIT.notFound,
    why: `it has: ${run.jobs.map((j) => j.job_spec.job_name).join(', ') || 'no jobs'}`,
    next: 'leave out --replica and --job, or give numbers as in its names (RUN-JOB-REPLICA)',
  });
}
