import { memberName } from '@dstack/contract/array-members';
import { isRunFinished } from '@dstack/contract/status';
import type { Job, JobSubmission, Run } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli, Connection } from '../../context.ts';
import { CliError, EXIT, UsageError } from '../../errors.ts';
import { sinceOption } from '../../format/since.ts';
import { integerOption } from '../../options.ts';
import { refuseArray } from '../../runs/array-text.ts';
import { findRun } from '../../runs/get-run.ts';
import { nodeSink, nodesBeside, streamNodes } from '../../runs/node-output.ts';
import { outcomeOf } from '../../runs/run-outcome.ts';
import {
  currentSubmission,
  findJob,
  jobStatusText,
  scheduledStart,
} from '../../runs/run-status.ts';
import { TailBuffer } from '../../runs/tail-buffer.ts';
import { watchUntil } from '../../runs/watch-until.ts';
import { type AccessFilter, accessFilter } from './access-filter.ts';
import { type AttemptChoice, inAttempt } from './attempts.ts';

export interface LogsOptions extends AttemptChoice {
  readonly run: string;
  readonly diagnose: boolean;
  readonly replica: number;
  /** The member of an array; null = the run is none. */
  readonly index: number | null;
  readonly job: number;
  /** The output of every node of the replica. */
  readonly allNodes: boolean;
  readonly since: string | null;
  readonly follow: boolean;
  /** Only the last N lines of the output so far. */
  readonly lines: number | null;
  /** Only lines with this text. */
  readonly grep: string | null;
  readonly timestamps: boolean;
  readonly json: boolean;
  /** The output of every job of the run. */
  readonly allReplicas: boolean;
  /** The requests of a service instead of the output of its jobs. */
  readonly access: boolean;
  /** Which of them. */
  readonly requests: AccessFilter;
}

export function declareLogs(program: Command, cli: Cli, run: typeof runLogs = runLogs): void {
  program
    .command('logs')
    .description("Show a run's output")
    .argument('<run>', 'name of the run')
    .option('-f, --follow', 'follow the output until the job ends')
    .option('-n, --lines <n>', 'only the last N lines', integerOption(0))
    .option('-d, --diagnose', "show the agent's log instead of the job's output")
    .option('--index <n>', 'of this member of an array', integerOption(0))
    .option('--replica <n>', 'number of the replica (default: 0)', integerOption(0))
    .option('--job <n>', 'number of the job in the replica', integerOption(0), 0)
    .option(
      '--attempt <n>',
      'of this attempt, from 1: a retry, or a start by the schedule',
      integerOption(1),
    )
    .option('--previous', 'of the attempt before the latest')
    .option('--all-nodes', 'of all jobs of the replica; each line names its job')
    .option('--all-replicas', 'of all jobs of the run; each line names its replica and job')
    .option('--access', 'the requests of a service instead of its output')
    .option('--status <list>', 'with --access: only with these statuses, such as 404,5xx')
    .option('--path <text>', 'with --access: only of paths that begin so')
    .option('--slow <time>', 'with --access: only those that took as long, such as 500ms or 2s')
    .option('--grep <text>', 'only lines that contain this text; the server looks for it')
    .option('--timestamps', 'print the time of each line')
    .option('--json', 'print one JSON document for each line')
    .option('--since <when>', 'only output since then: 90, 15m, 2h, 1d, or a time with offset')
    .action((name, options) =>
      run(
        {
          run: options.index === undefined ? name : memberName(name, options.index),
          index: options.index ?? null,
          diagnose: options.diagnose ?? false,
          replica: options.replica ?? 0,
          job: options.job,
          allNodes: options.allNodes ?? false,
          since: options.since ?? null,
          follow: options.follow ?? false,
          lines: options.lines ?? null,
          grep: options.grep ?? null,
          timestamps: options.timestamps ?? false,
          json: options.json ?? false,
          allReplicas: options.allReplicas ?? false,
          access: options.access ?? false,
          requests: accessFilter(options),
          attempt: options.attempt ?? null,
          previous: options.previous ?? false,
        },
        cli,
      ),
    );
}

export async function runLogs(options: LogsOptions, cli: Cli): Promise<void> {
  const since = options.since === null ? null : await sinceOption(options.since, cli);
  if (options.follow && options.diagnose) {
    throw new UsageError('--follow and --diagnose cannot be used together', {
      next: `dstack logs --diagnose ${options.run}`,
    });
  }
  requireOneAttempt(options);
  if (options.access) {
    requireNoneBeside(options);
    const { printAccess } = await import('./print-access.ts');
    await printAccess(await cli.connect(), options, cli);
    return;
  }
  const connection = await cli.connect();
  const run = await findRun(connection, options.run);
  if (options.replica + options.job === 0) {
    refuseArray(run, `dstack logs --index 0 ${options.run}`);
  }
  const latest = requireJob(run, options);
  const isOlder = options.attempt !== null || options.previous;
  const chosen = (each: Job): Job => inAttempt(each, options, options.run);
  const job = isOlder ? chosen(latest) : latest;
  const jobs = isOlder ? jobsOf(run, latest, options).map(chosen) : jobsOf(run, job, options);
  if (options.grep !== null || options.timestamps || options.json) {
    const { printLines } = await import('./print-lines.ts');
    const printed = await printLines(connection, jobs, options, since, cli);
    if (options.follow) await endAs(options.run, connection, cli);
    else if (printed === 0 && options.lines !== 0) {
      cli.io.info(options.grep === null ? silenceText(run, job, options) : noMatchText(options));
    }
    return;
  }
  if (options.follow) {
    const { run: runName, lines } = options;
    const write = (bytes: Uint8Array) => cli.io.output(bytes);
    await streamNodes(connection, jobs, { runName, since, lines, write, signal: cli.signal }, cli);
    await endAs(runName, connection, cli);
    return;
  }
  let isSilent = true;
  for (const each of jobs) {
    const submission = currentSubmission(each);
    if (submission === undefined) continue;
    const sink = nodeSink(each, jobs, (bytes) => cli.io.output(bytes), cli);
    const counted = (bytes: Uint8Array): void => {
      isSilent &&= bytes.byteLength === 0;
      sink.add(bytes);
    };
    const write = options.diagnose ? shownText(cli, counted) : counted;
    await printLogs(connection, options, submission, since, write, cli);
    sink.end();
  }
  if (isSilent && options.lines !== 0) cli.io.info(silenceText(run, job, options));
}

function requireOneAttempt({ attempt, previous, follow, run }: LogsOptions): void {
  if (attempt !== null && previous) {
    throw new UsageError('--attempt and --previous cannot be used together', {
      next: `dstack logs --attempt ${attempt} ${run}`,
    });
  }
  if (previous && follow) {
    throw new UsageError('--follow and --previous cannot be used together', {
      why: 'that attempt has ended',
      next: `dstack logs --previous ${run}`,
    });
  }
}

/** Requests have options of their own, besides `--follow`, `--lines`, `--replica` and `--json`. */
function requireNoneBeside(options: LogsOptions): void {
  const { diagnose, allNodes, allReplicas, grep, since, timestamps, job, run } = options;
  const isOlder = options.attempt !== null || options.previous;
  const isUsed = diagnose || allNodes || allReplicas || timestamps || isOlder || job > 0;
  if (!isUsed && grep === null && since === null) return;
  throw new UsageError(
    'Only --follow, --lines, --status, --path, --slow, --replica and --json can be used with --access',
    { next: `dstack logs --access -f ${run}` },
  );
}

function jobsOf(run: Run, job: Job, { allNodes, allReplicas }: LogsOptions): readonly Job[] {
  if (allReplicas) return run.jobs;
  return allNodes ? nodesBeside(run, job) : [job];
}

function noMatchText({ run, grep }: LogsOptions): string {
  return `No line of run ${run} contains "${grep}". All of its output: dstack logs ${run}`;
}

/** After the output of its jobs: the exit code of the run. */
async function endAs(name: string, connection: Connection, cli: Cli): Promise<void> {
  const ended = await untilEnded(await findRun(connection, name), connection, cli);
  if (ended !== null) cli.setExitCode(outcomeOf(ended).code);
}

/** A moment after its last job, the run ends too, unless it is tried again or has other replicas. */
const END_MS = 5000;

/** The run once it has ended; null if it continues without the jobs whose output was printed. */
async function untilEnded(run: Run, connection: Connection, cli: Cli): Promise<Run | null> {
  if (isRunFinished(run.status)) return run;
  const limit = AbortSignal.timeout(END_MS);
  const signal = AbortSignal.any([cli.signal, limit]);
  try {
    const name = run.run_spec.run_name ?? '';
    return await watchUntil(connection, name, signal, (r) => isRunFinished(r.status));
  } catch (error) {
    if (limit.aborted && !cli.signal.aborted) return null;
    throw error;
  }
}

/** Why there is no output, with a command for the details. */
function silenceText(run: Run, job: Job, { diagnose, since }: LogsOptions): string {
  const name = run.run_spec.run_name ?? '';
  const submission = currentSubmission(job);
  const status = submission ? jobStatusText(submission).text : run.status;
  if (!submission?.job_provisioning_data) {
    if (job.job_submissions.at(-2)?.job_provisioning_data) {
      return `Run ${name} has not started again yet (${status}). What it has printed before: dstack logs --previous ${name}`;
    }
    const state = isRunFinished(run.status) ? 'never started' : 'has not started yet';
    return `Run ${name} ${state} (${status}), so it has no output. Why: dstack explain ${name}`;
  }
  if (diagnose) return `The agent reported nothing about run ${name} (${status}).`;
  if (since !== null) return `Run ${name} (${status}) has printed nothing since then.`;
  const hint = isRunFinished(run.status) ? `dstack logs -d ${name}` : `dstack logs -f ${name}`;
  return `Run ${name} (${status}) has printed nothing. See also: ${hint}`;
}

/** The agent's log is printed with control characters escaped, the job's own output is not. */
function shownText({ io }: Cli, write: (bytes: Uint8Array) => void): (bytes: Uint8Array) => void {
  const decoder = new TextDecoder();
  return (bytes) => write(Buffer.from(io.styled(decoder.decode(bytes, { stream: true }))));
}

function requireJob(run: Run, options: LogsOptions): Job {
  const job = findJob(run, options.replica, options.job);
  if (job !== undefined) return job;
  const next = scheduledStart(run);
  if (run.jobs.length === 0 && next !== null) {
    throw new CliError(`Run ${options.run} has not started yet, so it has no output`, {
      exitCode: EXIT.notFound,
      why: `it waits for its schedule; next run: ${next}`,
      next: `dstack attach ${options.run}`,
    });
  }
  const known = run.jobs.map(
    (j) => `--replica ${j.job_spec.replica_num ?? 0} --job ${j.job_spec.job_num}`,
  );
  throw new CliError(
    `Run ${options.run} has no replica ${options.replica} with a job ${options.job}`,
    {
      exitCode: EXIT.notFound,
      why:
        known.length > 0 ? `it has: ${known.join(', ')}` : `it has no jobs (status: ${run.status})`,
      next: `dstack ps --all --verbose`,
    },
  );
}

/** Prints the output so far. Only the agent's log, and servers without streams, need pages. */
async function printLogs(
  connection: Connection,
  options: LogsOptions,
  submission: JobSubmission,
  since: string | null,
  write: (bytes: Uint8Array) => void,
  cli: Cli,
): Promise<void> {
  const { drained } = cli.io;
  if (options.diagnose) {
    return printPages(connection, options, submission, since, write, drained);
  }
  const { isUnsupported } = await import('@dstack/client');
  const job = { run_name: options.run, job_submission_id: submission.id, follow: false };
  const query = { ...job, start_time: since, lines: options.lines };
  try {
    for await (const piece of connection.project.logs.stream(query, cli.signal)) {
      write(piece.bytes);
      await drained();
    }
  } catch (error) {
    if (!isUnsupported(error)) throw error;
    await printPages(connection, options, submission, since, write, drained);
  }
}

async function printPages(
  connection: Connection,
  options: LogsOptions,
  submission: JobSubmission,
  since: string | null,
  write: (bytes: Uint8Array) => void,
  drained: () => Promise<void>,
): Promise<void> {
  const { fromBase64 } = await import('@dstack/client');
  const tail = options.lines === null ? null : new TailBuffer(options.lines);
  const pages = connection.project.logs.pages({
    run_name: options.run,
    job_submission_id: submission.id,
    start_time: since,
    diagnose: options.diagnose,
  });
  for await (const logs of pages) {
    for (const log of logs) {
      const bytes = fromBase64(log.message);
      if (tail) tail.add(bytes);
      else write(bytes);
    }
    await drained();
  }
  if (tail) write(tail.bytes());
}
