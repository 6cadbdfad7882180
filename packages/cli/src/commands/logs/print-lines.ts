import type { Job } from '@dstack/contract/wire';
import type { Cli, Connection } from '../../context.ts';
import { jobLabel } from '../../runs/job-label.ts';
import { followEvents, type LoggedLine, mergedEvents } from '../../runs/log-events.ts';

/** One line of `dstack logs --json`. */
export interface PrintedLine {
  readonly type: 'log';
  readonly run: string;
  readonly replica: number;
  readonly job: number;
  /** ISO 8601, UTC. */
  readonly timestamp: string;
  readonly message: string;
}

export interface PrintOptions {
  readonly run: string;
  readonly follow: boolean;
  readonly diagnose: boolean;
  readonly grep: string | null;
  readonly lines: number | null;
  readonly timestamps: boolean;
  readonly json: boolean;
}

/** Prints lines with their times, or those with a text, and returns their number. */
export async function printLines(
  connection: Connection,
  jobs: readonly Job[],
  options: PrintOptions,
  since: string | null,
  cli: Cli,
): Promise<number> {
  const { run: runName, grep, lines, diagnose } = options;
  const filter = { runName, grep, since, lines, diagnose };
  let printed = 0;
  const print = (event: LoggedLine): void => {
    printed += 1;
    printLine(event, jobs, options, cli);
  };
  if (options.follow) {
    await Promise.all(jobs.map((job) => followEvents(connection, job, filter, print, cli)));
    return printed;
  }
  for await (const event of mergedEvents(connection, jobs, filter)) {
    print(event);
    await cli.io.drained();
  }
  return printed;
}

function printLine(
  { job, timestamp, text }: LoggedLine,
  jobs: readonly Job[],
  { run, timestamps, json }: PrintOptions,
  { io }: Cli,
): void {
  if (json) {
    const { replica_num: replica, job_num: number } = job.job_spec;
    const line: PrintedLine = { type: 'log', run, replica, job: number, timestamp, message: text };
    io.json(line);
    return;
  }
  const label = jobLabel(job, jobs);
  const head = [
    ...(label === '' ? [] : [io.paint('secondary', `${label} |`)]),
    ...(timestamps ? [io.paint('secondary', timestamp)] : []),
  ];
  io.print([...head, text].join(' '));
}
