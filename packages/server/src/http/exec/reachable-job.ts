import { isJobRunning } from '@dstack/contract/status';
import type { Id, JobRecord } from '@dstack/core';
import type { RunView, Store } from '@dstack/store';

/** Where a running job can be reached. */
export interface ReachableJob {
  readonly jobId: Id;
  readonly hostId: string;
}

/** Why a client gets no connection; `status` as HTTP would have it. */
export class JobSocketRefusal extends Error {
  override name = 'JobSocketRefusal';
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export interface WhichJob {
  /** Null: the first one that runs. */
  readonly replica: number | null;
  readonly job: number;
}

/** Throws `JobSocketRefusal`. */
export function whichJob(query: URLSearchParams): WhichJob {
  return { replica: numberOf(query, 'replica'), job: numberOf(query, 'job') ?? 0 };
}

/** Throws `JobSocketRefusal`. */
export function portOf(query: URLSearchParams): number {
  const port = numberOf(query, 'port');
  if (port !== null && port >= 1 && port <= 65_535) return port;
  throw new JobSocketRefusal(400, 'bad_request', '`port` must be a number from 1 to 65535');
}

/** Throws `JobSocketRefusal`. */
export async function reachableJob(
  { instances }: Pick<Store, 'instances'>,
  view: RunView,
  { replica, job: jobNum }: WhichJob,
): Promise<ReachableJob> {
  const matching = view.jobs.filter(
    (job) => job.jobNum === jobNum && (replica === null || job.replicaNum === replica),
  );
  const name = `${view.run.name}${replica === null ? '' : `, replica ${replica}`}, job ${jobNum}`;
  if (matching.length === 0) {
    throw new JobSocketRefusal(404, 'unknown_job', `Run ${name} does not exist`);
  }
  const running = matching.find((job) => isJobRunning(job.status));
  if (running === undefined) {
    const status = newest(matching)?.status ?? view.run.status;
    throw new JobSocketRefusal(
      409,
      'not_running',
      `Run ${name} is ${status}: commands and ports need a running job`,
    );
  }
  const instance = running.instanceId && (await instances.byId(running.instanceId));
  const hostId = instance ? instance.instance.hostId : null;
  if (hostId === null) throw unreachable();
  return { jobId: running.id, hostId };
}

export function unreachable(): JobSocketRefusal {
  const message = 'The host of the job is unreachable now; try again in a moment';
  return new JobSocketRefusal(503, 'unreachable', message);
}

function newest(jobs: readonly JobRecord[]): JobRecord | undefined {
  return jobs.reduce<JobRecord | undefined>(
    (last, job) => (last && last.submissionNum > job.submissionNum ? last : job),
    undefined,
  );
}

function numberOf(query: URLSearchParams, name: string): number | null {
  const text = query.get(name);
  if (text === null || text === '') return null;
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new JobSocketRefusal(400, 'bad_request', `\`${name}\` must be a whole number`);
}
