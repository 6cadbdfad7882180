/** Pages of a job's log. */
import { type PollLogsRequest, ruleError } from '@dstack/contract/api';
import { formatTimestamp, type JobSubmissionLogs } from '@dstack/contract/wire';
import type { ProjectRecord } from '@dstack/store';
import type { LogPage, PageEvent } from '../../logs/log-page.ts';
import { LogStoreError } from '../../logs/log-store.ts';
import { pageOfLines } from '../../logs/page-of-lines.ts';
import type { Logger } from '../../process/logging.ts';
import type { HttpDeps } from '../ports.ts';
import { isNamed } from '../runs/arrays.ts';
import { diagnosis } from './diagnosis.ts';

/**
 * A name other than the run's gives an empty page, not an error. `diagnose` requests the actions of
 * server and agent, not the job's output.
 */
export async function pollLogs(
  deps: HttpDeps,
  project: ProjectRecord,
  request: PollLogsRequest,
  log: Logger,
): Promise<JobSubmissionLogs> {
  const query = {
    startTime: request.start_time,
    endTime: request.end_time,
    descending: request.descending,
    nextToken: request.next_token,
    limit: request.limit,
  };
  const ref = { project: project.name, run: request.run_name, jobId: request.job_submission_id };
  const poll = async (nextToken: string | null) => {
    const page = await deps.logs.poll(ref, { ...query, nextToken });
    if (page.events.length > 0 || page.nextToken !== null) return page;
    const member = await memberWithJob(deps, project, request);
    return member === null
      ? page
      : deps.logs.poll({ ...ref, run: member }, { ...query, nextToken });
  };
  try {
    const lines = request.diagnose ? await diagnosed(deps, project, request) : null;
    const read = async (nextToken: string | null) =>
      lines === null ? poll(nextToken) : pageOfLines(lines, { ...query, nextToken });
    const { grep, next_token: first } = request;
    const page =
      grep === null ? await read(first) : await matchingPage(matcherOf(grep, request), first, read);
    return {
      logs: page.events.map(({ time, text }) => ({
        timestamp: formatTimestamp(time),
        log_source: 'stdout',
        message: Buffer.from(text).toString('base64'),
      })),
      external_url: null,
      next_token: page.nextToken,
    };
  } catch (error) {
    if (!(error instanceof LogStoreError)) throw error;
    if (error.code === 'bad_token') throw ruleError(error.message);
    if (error.code === 'bad_stream') return { logs: [], external_url: null, next_token: null };
    log.error({ err: error, run: request.run_name }, 'log could not be read');
    throw ruleError('Failed to poll logs from log storage');
  }
}

/**
 * Clients of 0.22.5 see members of an array as jobs of its run, so they request the log of a member under
 * the name of the array. Null: the job is of no member of it.
 */
async function memberWithJob(
  deps: HttpDeps,
  project: ProjectRecord,
  { job_submission_id: id, run_name: name }: PollLogsRequest,
): Promise<string | null> {
  const run = (await deps.store.jobs.byId(id))?.run;
  if (run === undefined || run.projectId !== project.id || run.arrayIndex === null) return null;
  return isNamed(run, name) ? run.name : null;
}

/** One request reads at most this many pages; the client continues at the token. */
const MOST_SCANNED = 50;

type Matches = (line: string) => boolean;

function matcherOf(text: string, { ignore_case }: Pick<PollLogsRequest, 'ignore_case'>): Matches {
  if (!ignore_case) return (line) => line.includes(text);
  const lower = text.toLowerCase();
  return (line) => line.toLowerCase().includes(lower);
}

/** The first page with a match, without the lines that have none. */
async function matchingPage(
  matches: Matches,
  first: string | null,
  read: (token: string | null) => Promise<Pick<LogPage, 'events' | 'nextToken'>>,
): Promise<Pick<LogPage, 'events' | 'nextToken'>> {
  let token = first;
  for (let scanned = 1; ; scanned += 1) {
    const page = await read(token);
    const events = page.events.filter((event) => matches(event.text));
    const isLast = page.nextToken === null || scanned === MOST_SCANNED;
    if (events.length > 0 || isLast) return { events, nextToken: page.nextToken };
    token = page.nextToken;
  }
}

async function diagnosed(
  deps: HttpDeps,
  project: ProjectRecord,
  request: PollLogsRequest,
): Promise<readonly PageEvent[]> {
  const view = await deps.store.jobs.byId(request.job_submission_id);
  const isMeant = view?.run.projectId === project.id && isNamed(view.run, request.run_name);
  return view && isMeant ? await diagnosis(deps.store, view) : [];
}
