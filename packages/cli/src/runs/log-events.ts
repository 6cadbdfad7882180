import type { Job, JobSubmission } from '@dstack/contract/wire';
import type { Cli, Connection } from '../context.ts';
import { outlast, reportAway } from '../outlast.ts';
import { submissionEnded } from './job-output.ts';
import { currentSubmission } from './run-status.ts';

/** One line of output, as the server stores it: plain text with the time when it was read. */
export interface LoggedLine {
  readonly job: Job;
  /** ISO 8601. */
  readonly timestamp: string;
  /** Without the end of the line. */
  readonly text: string;
}

export interface LogFilter {
  readonly runName: string;
  /** Only lines with this text; the server looks for it. */
  readonly grep: string | null;
  readonly since: string | null;
  /** Only this many last lines of each job. */
  readonly lines: number | null;
  readonly diagnose: boolean;
}

/** Lines of several jobs so far, in the order of their times. */
export async function* mergedEvents(
  connection: Connection,
  jobs: readonly Job[],
  filter: LogFilter,
): AsyncGenerator<LoggedLine, void> {
  const sources = jobs.map((job) => eventsSoFar(connection, job, filter));
  const heads = await Promise.all(sources.map((source) => source.next()));
  for (;;) {
    let earliest = -1;
    heads.forEach(({ done, value }, i) => {
      const other = heads[earliest]?.value;
      if (!done && (!other || value.timestamp < other.timestamp)) earliest = i;
    });
    const source = sources[earliest];
    if (source === undefined) return;
    yield heads[earliest]?.value as LoggedLine;
    heads[earliest] = await source.next();
  }
}

const POLL_MS = 1000;

/** Reports lines of a job as they appear, until it has ended, also while the server is restarted. */
export async function followEvents(
  connection: Connection,
  job: Job,
  filter: LogFilter,
  report: (event: LoggedLine) => void,
  cli: Cli,
): Promise<void> {
  const submission = currentSubmission(job);
  if (submission === undefined) return;
  const { replica_num: replica, job_num: number } = job.job_spec;
  const ref = { runName: filter.runName, submissionId: submission.id, replica, job: number };
  let wanted = filter;
  const readNew = async (): Promise<boolean> => {
    const isOver = await submissionEnded(connection, ref);
    for await (const event of eventsSoFar(connection, job, wanted)) {
      report(event);
      wanted = { ...wanted, since: event.timestamp };
    }
    return isOver;
  };
  const read = () => outlast(cli, readNew, cli.signal, reportAway(cli));
  while ((await read()) === false) {
    wanted = { ...wanted, lines: null };
    await cli.wait(POLL_MS, cli.signal);
  }
}

async function* eventsSoFar(
  connection: Connection,
  job: Job,
  filter: LogFilter,
): AsyncGenerator<LoggedLine, void> {
  const submission = currentSubmission(job);
  if (submission === undefined || filter.lines === 0) return;
  if (filter.lines !== null) {
    yield* (await lastEvents(connection, job, submission, filter.lines, filter)).reverse();
    return;
  }
  for await (const events of eventPages(connection, job, submission, filter, false)) {
    yield* events;
  }
}

/** The newest first. */
async function lastEvents(
  connection: Connection,
  job: Job,
  submission: JobSubmission,
  count: number,
  filter: LogFilter,
): Promise<LoggedLine[]> {
  const newest: LoggedLine[] = [];
  for await (const events of eventPages(connection, job, submission, filter, true)) {
    newest.push(...events);
    if (newest.length >= count) break;
  }
  return newest.slice(0, count);
}

async function* eventPages(
  connection: Connection,
  job: Job,
  submission: JobSubmission,
  { runName, grep, since, diagnose }: LogFilter,
  descending: boolean,
): AsyncGenerator<LoggedLine[], void> {
  const { fromBase64 } = await import('@dstack/client');
  const decoder = new TextDecoder();
  const query = { run_name: runName, job_submission_id: submission.id, start_time: since };
  const pages = connection.project.logs.pages({ ...query, grep, diagnose, descending });
  for await (const logs of pages) {
    const events = logs.map(({ timestamp, message }) => ({
      job,
      timestamp,
      text: decoder.decode(fromBase64(message)).replace(/\r?\n$/, ''),
    }));
    // Servers without this filter return every line.
    yield grep === null ? events : events.filter(({ text }) => text.includes(grep));
  }
}
