import type { Job, Run } from '@dstack/contract/wire';
import type { Cli, Connection } from '../context.ts';
import { jobLabel } from './job-label.ts';
import { streamOutput } from './job-output.ts';
import { NodeLines } from './node-lines.ts';
import { PlainOutput } from './plain-output.ts';
import { currentSubmission } from './run-status.ts';
import { TerminalQueries } from './terminal-queries.ts';

export interface NodeOutputOptions {
  readonly runName: string;
  readonly since?: string | null;
  readonly lines?: number | null;
  /** Writes the output of one job, either unchanged or in labelled lines. */
  readonly write: (bytes: Uint8Array, job: Job) => void;
  /** The stream that `write` writes to; default: `out`. */
  readonly to?: 'out' | 'err';
  readonly signal: AbortSignal;
}

/** All jobs of a job's replica by number: more than one if the run has several nodes. */
export function nodesBeside(run: Run, job: Job): Job[] {
  return run.jobs
    .filter((one) => (one.job_spec.replica_num ?? 0) === (job.job_spec.replica_num ?? 0))
    .sort((a, b) => a.job_spec.job_num - b.job_spec.job_num);
}

export interface NodeSink {
  readonly add: (bytes: Uint8Array) => void;
  readonly end: () => void;
}

/**
 * Output of one of these jobs: unchanged if it is the only one, otherwise in labelled lines. What is
 * not printed to a terminal becomes plain text.
 */
export function nodeSink(
  job: Job,
  jobs: readonly Job[],
  write: (bytes: Uint8Array) => void,
  cli: Cli,
  to: 'out' | 'err' = 'out',
): NodeSink {
  const shown = cli.io.showsControls(to) ? new TerminalQueries(write) : new PlainOutput(write);
  const show = (bytes: Uint8Array): void => shown.add(bytes);
  if (jobs.length < 2) return { add: show, end: () => shown.end() };
  const label = cli.io.paint('secondary', `${jobLabel(job, jobs)} |`);
  const lines = new NodeLines(`${cli.io.styled(label)} `, show, cli.now);
  const end = (): void => {
    lines.end();
    shown.end();
  };
  return { add: (bytes) => lines.add(bytes), end };
}

/**
 * Writes the output of jobs as it is produced, until all of them have ended. The output of a single
 * job is unchanged, for a terminal; of several jobs each line is labelled.
 */
export async function streamNodes(
  connection: Connection,
  jobs: readonly Job[],
  options: NodeOutputOptions,
  cli: Cli,
): Promise<void> {
  // A stream that fails ends the others, whose output would not be awaited.
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const follow = async (job: Job): Promise<void> => {
    const submission = currentSubmission(job);
    if (submission === undefined) return;
    const { replica_num: replica, job_num: number } = job.job_spec;
    const { runName, since = null, lines = null, to } = options;
    const sink = nodeSink(job, jobs, (bytes) => options.write(bytes, job), cli, to);
    const stream = { runName, submissionId: submission.id, replica, job: number, since, lines };
    const { drained } = cli.io;
    await streamOutput(connection, { ...stream, write: sink.add, drained, signal });
    sink.end();
  };
  try {
    await Promise.all(jobs.map(follow));
  } catch (error) {
    failed.abort();
    throw error;
  }
}
