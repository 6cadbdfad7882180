import { errorMessage } from '@dstack/contract/error-message';
import { isJobFinished, isRunDone, isRunFailed, isRunFinished } from '@dstack/contract/status';
import type { Job, JobSubmission, Run } from '@dstack/contract/wire';
import type { Cli, Connection } from '../../context.ts';
import { EXIT } from '../../errors.ts';
import type { InterruptSignal } from '../../interrupts.ts';
import { closingLine } from '../../runs/closing-line.ts';
import { finishedMessage } from '../../runs/finished-message.ts';
import { jobToFollow } from '../../runs/job-to-follow.ts';
import { nodesBeside, streamNodes } from '../../runs/node-output.ts';
import { PullReports } from '../../runs/pull-progress.ts';
import { RollbackWatch } from '../../runs/rollback-watch.ts';
import { outcomeOf } from '../../runs/run-outcome.ts';
import {
  currentSubmission,
  hasStarted,
  isRunningNow,
  jobStatusText,
  scheduledStart,
} from '../../runs/run-status.ts';
import { renderRunTable } from '../../runs/run-table.ts';
import { scheduleLines } from '../../runs/schedule-lines.ts';
import { serviceLines } from '../../runs/service-url.ts';
import { StartProgress } from '../../runs/start-progress.ts';
import { WaitReasons } from '../../runs/wait-reasons.ts';
import { watchUntil } from '../../runs/watch-until.ts';
import type { Attachment } from '../../ssh/attach-run.ts';
import { followArray } from './follow-array.ts';
import type { FollowInput } from './follow-input.ts';
import { askAndStop } from './interrupted.ts';
import { openOtherNodes } from './other-nodes.ts';

/**
 * Follows a run from submission to its end: shows a live block while it starts, then streams its
 * output. Ctrl-C asks whether to stop the run. If the update of a service is rolled back, this ends
 * with exit code 6, and the run continues.
 */
export async function followRun(run: Run, input: FollowInput, cli: Cli): Promise<void> {
  const attention = new AbortController();
  let terminated = false;
  const attend = (signal: InterruptSignal): void => {
    terminated = signal === 'SIGTERM';
    attention.abort();
  };
  const release = cli.onInterrupt(attend, { terminate: true });
  const name = run.run_spec.run_name ?? '';
  const rollback = new RollbackWatch(run, input.connection);
  try {
    const signal = AbortSignal.any([attention.signal, rollback.signal]);
    const final = run.array
      ? await followArray(name, input.options.json, input.connection, signal, cli)
      : await follow(name, input, signal, cli);
    const outcome = isScheduled(final) ? LEFT : outcomeOf(final);
    if (input.options.json) cli.io.json({ type: 'result', ...final, exit: outcome });
    cli.setExitCode(outcome.code);
  } catch (error) {
    if (!attention.signal.aborted) {
      if (rollback.run === null) throw error;
      reportRollback(rollback.run, input, cli);
      return;
    }
    release();
    // The sender of SIGTERM does not answer questions.
    const wasStopped = terminated || (await askAndStop(name, input, cli));
    if (wasStopped) cli.setExitCode(EXIT.interrupted);
  } finally {
    release();
    rollback.stop();
  }
}

/** The run goes on without us. */
const LEFT = { code: EXIT.done, source: 'dstack' } as const;

function reportRollback(run: Run, { options }: FollowInput, cli: Cli): void {
  const { io } = cli;
  const name = run.run_spec.run_name ?? '';
  const why = run.rollout?.message ?? null;
  io.endLine();
  io.info(
    `${io.paintErr('error', 'The update was rolled back')}${why === null ? '' : `: ${why}`}. ` +
      `${name} has its previous configuration (dstack rollout status ${name}, dstack event --target-run ${name})`,
  );
  const exit = { code: EXIT.rolledBack, source: 'dstack' } as const;
  if (options.json) io.json({ type: 'result', ...run, exit });
  cli.setExitCode(exit.code);
}

async function follow(
  name: string,
  { connection, options }: FollowInput,
  signal: AbortSignal,
  cli: Cli,
): Promise<Run> {
  const { json } = options;
  let seen: string | null = null;
  for (;;) {
    const started = await waitForStart({ name, seen, json }, connection, signal, cli);
    if (isScheduled(started)) return announceSchedule(started, cli);
    const job = jobToFollow(started);
    const submission = job && currentSubmission(job);
    if (!job || !submission || submission.id === seen) return announceEnd(started, cli);
    const isRetried = isJobFinished(submission.status) && !isRunFinished(started.status);
    seen = submission.id;
    const isPlaced = submission.job_provisioning_data != null;
    if (isPlaced && !isRetried) announceStart(started, submission, connection, cli);
    // A job that was never placed has no output.
    if (!isPlaced) {
      if (!isRetried) return announceEnd(started, cli);
      announceRetry(started, submission, cli);
      continue;
    }
    await followJob(started, job, { connection, options }, signal, cli);
    if (isRetried) announceRetry(started, submission, cli);
  }
}

/**
 * Streams the output of a job and of the other nodes until they end, and forwards the job's ports
 * meanwhile.
 */
async function followJob(
  run: Run,
  job: Job,
  input: FollowInput,
  signal: AbortSignal,
  cli: Cli,
): Promise<void> {
  const access = new JobAccess();
  const attaching = attachIfLive(run, job, input, access.signal, cli).then((attachment) =>
    access.open(attachment),
  );
  const beside = openOtherNodes(run, job, input, access.signal, cli);
  // The output may name a forwarded port from its first line on, so the ports must be known first.
  if (hasPorts(job)) await attaching;
  // With --json, stdout carries exactly one document.
  const to = input.options.json ? 'err' : 'out';
  try {
    // Only this job's ports are forwarded.
    const write = (bytes: Uint8Array, from: Job) =>
      cli.io.output(from === job ? access.rewriteUrls(bytes) : bytes, to);
    const runName = run.run_spec.run_name ?? '';
    await streamNodes(input.connection, nodesBeside(run, job), { runName, write, to, signal }, cli);
  } finally {
    await access.close();
    await attaching;
    await (await beside)?.close();
  }
}

/** Waits until there is a new submission to follow, or until the run has ended. */
async function waitForStart(
  { name, seen, json }: { name: string; seen: string | null; json: boolean },
  connection: Connection,
  signal: AbortSignal,
  cli: Cli,
): Promise<Run> {
  const progress = new StartProgress(cli, { json });
  const pulls = new PullReports(connection, cli, (run) => progress.show(run, seen));
  const reasons = new WaitReasons(connection, cli, (reason) => progress.explain(reason));
  const ready = (run: Run): boolean => {
    // The next start may be days away.
    if (isRunFinished(run.status) || isScheduled(run)) return true;
    const job = jobToFollow(run);
    const submission = job && currentSubmission(job);
    return submission !== undefined && submission.id !== seen && hasStarted(submission);
  };
  try {
    return await watchUntil(connection, name, signal, ready, (run) => {
      progress.show(run, seen);
      reasons.follow(run);
      pulls.follow(run);
    });
  } finally {
    reasons.stop();
    pulls.stop();
    progress.stop();
  }
}

/** Whether the run waits for its schedule. */
function isScheduled(run: Run): boolean {
  return scheduledStart(run) !== null;
}

function announceSchedule(run: Run, { io }: Cli): Run {
  for (const line of scheduleLines(run, io.paintErr)) io.info(line);
  return run;
}

/** Reports a job that has ended while its run continues. */
function announceRetry(run: Run, submission: JobSubmission, { io }: Cli): void {
  const name = io.paintErr('code', run.run_spec.run_name ?? '');
  const why = submission.termination_reason_message;
  const ended = jobStatusText(submission).text + (why ? ` (${why})` : '');
  io.info(`${name} has ended and is tried again: ${ended}`);
}

function announceStart(
  run: Run,
  submission: JobSubmission,
  connection: Connection,
  { io }: Cli,
): void {
  const failed = isRunFailed(run.status);
  const layout = { width: io.errWidth, paint: io.paintErr };
  io.info(renderRunTable([run], { verbose: failed, now: null, layout }).trimEnd());
  const name = io.paintErr('code', run.run_spec.run_name ?? '');
  const status = isRunFinished(run.status) ? run.status : submission.status;
  io.info(`\n${name} provisioning completed (${status})`);
  for (const line of serviceLines(run, connection)) io.info(line);
}

function announceEnd(run: Run, cli: Cli): Run {
  const { io } = cli;
  if (!isRunDone(run.status)) io.info(finishedMessage(run, io.paintErr));
  io.info(closingLine(run, io.paintErr));
  return run;
}

function hasPorts(job: Job): boolean {
  return (job.job_spec.app_specs ?? []).length > 0;
}

/** An attachment that may open late, or after its job has ended. */
class JobAccess {
  #attachment: Attachment | null = null;
  readonly #closing = new AbortController();

  /** Aborted when the job is over. */
  get signal(): AbortSignal {
    return this.#closing.signal;
  }

  async open(attachment: Attachment | null): Promise<void> {
    if (this.#closing.signal.aborted) await attachment?.close();
    else this.#attachment = attachment;
  }

  rewriteUrls(bytes: Uint8Array): Uint8Array {
    return this.#attachment?.rewriteUrls(bytes) ?? bytes;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#attachment?.close();
  }
}

/** Forwards ports and enables `ssh <run>` while the job runs. A finished job needs neither. */
async function attachIfLive(
  run: Run,
  job: Job,
  { connection, options }: FollowInput,
  signal: AbortSignal,
  cli: Cli,
): Promise<Attachment | null> {
  if (!isRunningNow(job)) return null;
  const needed = hasPorts(job);
  const isDevEnvironment = run.run_spec.configuration.type === 'dev-environment';
  const { attachRun, describeAttachment } = await import('../../ssh/attach-run.ts');
  try {
    const attachment = await attachRun({
      run,
      job,
      connection,
      cli,
      bindAddress: options.flags.host,
      portOverrides: options.flags.ports,
      identity: options.flags.sshIdentity,
      signal,
    });
    const lines = describeAttachment(attachment);
    if (needed || isDevEnvironment) for (const line of lines) cli.io.info(line);
    return attachment;
  } catch (error) {
    if (signal.aborted || (!needed && !isDevEnvironment)) return null;
    const what = errorMessage(error);
    cli.io.warn(`ports are not forwarded: ${what} (retry: dstack attach ${run.run_spec.run_name})`);
    return null;
  }
}
