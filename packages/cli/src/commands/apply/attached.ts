import { errorMessage } from '@dstack/contract/error-message';
import { isJobFinished, isRunDone, isRunFailed, isRunFinished } from '@dstack/contract/status';
import type { Job, JobSubmission, Run } from '@dstack/contract/wire';
import type { Cli, Connection } from '../../context.ts';
import { EXIT } from '../../errors.ts';
import type { InterruptSignal } from '../../interrupts.ts';
import { finishedMessage } from '../../runs/finished-message.ts';
import { nodesBeside, streamNodes } from '../../runs/node-output.ts';
import {
  currentSubmission,
  hasStarted,
  isRunningNow,
  jobStatusText,
} from '../../runs/run-status.ts';
import { runTable } from '../../runs/run-table.ts';
import { serviceLines } from '../../runs/service-url.ts';
import { StartProgress } from '../../runs/start-progress.ts';
import { WaitReasons } from '../../runs/wait-reasons.ts';
import { watchUntil } from '../../runs/watch-until.ts';
import type { Attachment } from '../../ssh/attach-run.ts';
import type { FollowInput } from './follow-input.ts';
import { askAndStop } from './interrupted.ts';
import { openOtherNodes } from './other-nodes.ts';

/**
 * Follows a run from submission to its end: a live block while it starts, then its output as it is
 * printed. Ctrl-C asks whether to stop the run.
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
  try {
    const final = await follow(name, input, attention.signal, cli);
    if (input.options.json) cli.io.json(final);
    cli.setExitCode(isRunDone(final.status) ? EXIT.done : EXIT.failed);
  } catch (error) {
    if (!attention.signal.aborted) throw error;
    release();
    // Whoever ends us by SIGTERM will not answer questions.
    if (!terminated) await askAndStop(name, input, cli);
    cli.setExitCode(EXIT.interrupted);
  } finally {
    release();
  }
}

async function follow(
  name: string,
  { connection, options }: FollowInput,
  signal: AbortSignal,
  cli: Cli,
): Promise<Run> {
  let seen: string | null = null;
  for (;;) {
    const started = await waitForStart(name, seen, connection, signal, cli);
    const job = jobToFollow(started);
    const submission = job && currentSubmission(job);
    if (!job || !submission || submission.id === seen) return announceEnd(started, cli);
    const isRetried = isJobFinished(submission.status) && !isRunFinished(started.status);
    seen = submission.id;
    const isPlaced = submission.job_provisioning_data != null;
    if (isPlaced && !isRetried) announceStart(started, submission, connection, cli);
    // What was never placed on a machine has no output either.
    if (!isPlaced) {
      if (!isRetried) return announceEnd(started, cli);
      announceRetry(started, submission, cli);
      continue;
    }
    await followJob(started, job, { connection, options }, signal, cli);
    if (isRetried) announceRetry(started, submission, cli);
  }
}

/** Prints the output of a job and the other nodes to its end, with their ports forwarded meanwhile. */
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
  // Forwarded ports have to be known before the first line that may name one of them.
  if (hasPorts(job)) await attaching;
  // With --json the one document is all that stdout gets.
  const to = input.options.json ? 'err' : 'out';
  try {
    // Ports are forwarded from the one job only.
    const write = (bytes: Uint8Array, from: Job) =>
      cli.io.output(from === job ? access.rewriteUrls(bytes) : bytes, to);
    const runName = run.run_spec.run_name ?? '';
    await streamNodes(input.connection, nodesBeside(run, job), { runName, write, signal }, cli);
  } finally {
    await access.close();
    await attaching;
    await (await beside)?.close();
  }
}

/** Waits until there is something new to follow, or the run has ended. */
async function waitForStart(
  name: string,
  seen: string | null,
  connection: Connection,
  signal: AbortSignal,
  cli: Cli,
): Promise<Run> {
  const progress = new StartProgress(cli);
  const reasons = new WaitReasons(connection, cli, (reason) => progress.explain(reason));
  const ready = (run: Run): boolean => {
    if (isRunFinished(run.status)) return true;
    const job = jobToFollow(run);
    const submission = job && currentSubmission(job);
    return submission !== undefined && submission.id !== seen && hasStarted(submission);
  };
  try {
    return await watchUntil(connection, name, signal, ready, (run) => {
      progress.show(run, seen);
      reasons.follow(run);
    });
  } finally {
    reasons.stop();
    progress.stop();
  }
}

/** The first job of the first replica that runs, else of the first replica there is. */
export function jobToFollow(run: Run): Job | undefined {
  const firsts = run.jobs.filter((job) => job.job_spec.job_num === 0);
  const running = firsts.find(isRunningNow);
  return running ?? firsts[0];
}

/** A job that has ended while its run goes on. */
function announceRetry(run: Run, submission: JobSubmission, { io }: Cli): void {
  const name = io.paintErr('code', run.run_spec.run_name ?? '');
  const why = submission.termination_reason_message;
  const ended = jobStatusText(submission).text + (why ? ` (${why})` : '');
  io.say(`${name} has ended and is tried again: ${ended}`);
}

function announceStart(
  run: Run,
  submission: JobSubmission,
  connection: Connection,
  { io }: Cli,
): void {
  const failed = isRunFailed(run.status);
  const layout = { width: io.errWidth, paint: io.paintErr };
  io.say(runTable([run], { verbose: failed, now: null, layout }).trimEnd());
  const name = io.paintErr('code', run.run_spec.run_name ?? '');
  const status = isRunFinished(run.status) ? run.status : submission.status;
  io.say(`\n${name} provisioning completed (${status})`);
  for (const line of serviceLines(run, connection)) io.say(line);
}

function announceEnd(run: Run, cli: Cli): Run {
  cli.io.say(finishedMessage(run, cli.io.paintErr));
  return run;
}

function hasPorts(job: Job): boolean {
  return (job.job_spec.app_specs ?? []).length > 0;
}

/** An attachment that may come late, or after its job has ended. */
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

/** Ports and `ssh <run>` while a job runs; a job that is already over needs neither. */
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
    if (needed || isDevEnvironment) for (const line of lines) cli.io.say(line);
    return attachment;
  } catch (error) {
    if (signal.aborted || (!needed && !isDevEnvironment)) return null;
    const what = errorMessage(error);
    cli.io.warn(`ports are not forwarded: ${what} (retry: dstack attach ${run.run_spec.run_name})`);
    return null;
  }
}
