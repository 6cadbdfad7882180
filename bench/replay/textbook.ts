/** Plain FIFO and EASY backfill on hosts: what placement is compared with. */
import type { TraceJob } from './trace.ts';

export interface Pool {
  readonly hosts: number;
  readonly gpusPerHost: number;
}

export interface Outcome {
  readonly job: TraceJob;
  startedAt: number;
  endsAt: number;
}

interface Running extends Outcome {
  readonly taken: readonly Part[];
  /** When it has to end. */
  readonly until: number;
}

interface Part {
  readonly host: number;
  readonly gpus: number;
}

export type Policy = 'fifo' | 'easy';

export function playTextbook(jobs: readonly TraceJob[], pool: Pool, policy: Policy): Outcome[] {
  const free = Array.from({ length: pool.hosts }, () => pool.gpusPerHost);
  const outcomes: Outcome[] = [];
  let running: Running[] = [];
  let waiting: TraceJob[] = [];
  let next = 0;
  const start = (job: TraceJob, parts: readonly Part[], now: number): void => {
    take(free, parts, -1);
    const outcome = { job, startedAt: now, endsAt: now + Math.min(job.runs, job.limit) };
    outcomes.push(outcome);
    running.push({ ...outcome, taken: parts, until: now + job.limit });
  };
  while (next < jobs.length || running.length > 0) {
    const end = running.reduce((least, one) => Math.min(least, one.endsAt), Infinity);
    const now = Math.min(jobs[next]?.arrives ?? Infinity, end);
    for (const one of running) if (one.endsAt <= now) take(free, one.taken, 1);
    running = running.filter((one) => one.endsAt > now);
    for (let job = jobs[next]; job && job.arrives <= now; job = jobs[++next]) waiting.push(job);
    while (waiting.length > 0) {
      const [head] = waiting;
      const parts = head && roomFor(free, head, pool);
      if (!head || !parts) break;
      start(head, parts, now);
      waiting = waiting.slice(1);
    }
    const [head, ...others] = waiting;
    if (policy === 'fifo' || !head) continue;
    const started = backfill(head, others, { free, running, pool, now, start });
    waiting = waiting.filter((job) => !started.has(job));
  }
  return outcomes;
}

interface Moment {
  readonly free: number[];
  readonly running: readonly Running[];
  readonly pool: Pool;
  readonly now: number;
  readonly start: (job: TraceJob, parts: readonly Part[], now: number) => void;
}

/** Starts those that do not delay the head of the queue. */
function backfill(head: TraceJob, others: readonly TraceJob[], at: Moment): Set<TraceJob> {
  const started = new Set<TraceJob>();
  const { free, pool, now } = at;
  const shadow = shadowOf(head, at);
  for (const job of others) {
    const parts = roomFor(free, job, pool);
    if (!parts) continue;
    const isShort = now + job.limit <= shadow.at;
    if (!isShort) {
      take(shadow.free, parts, -1);
      if (shadow.free.some((gpus) => gpus < 0) || !roomFor(shadow.free, head, pool)) {
        take(shadow.free, parts, 1);
        continue;
      }
    }
    at.start(job, parts, now);
    started.add(job);
  }
  return started;
}

/** When the head starts by the limits, and what is free then. */
function shadowOf(head: TraceJob, { free, running, pool }: Moment) {
  const then = [...free];
  for (const { until, taken } of running.toSorted((a, b) => a.until - b.until)) {
    take(then, taken, 1);
    if (roomFor(then, head, pool)) return { at: until, free: then };
  }
  throw new Error(`the job ${head.name} never fits`);
}

/** The fullest host that has room for a share, or whole hosts. */
function roomFor(
  free: readonly number[],
  { gpus }: TraceJob,
  { gpusPerHost }: Pool,
): Part[] | null {
  if (gpus <= gpusPerHost) {
    let best = -1;
    for (const [host, left] of free.entries()) {
      if (left >= gpus && (best < 0 || left < (free[best] ?? 0))) best = host;
    }
    return best < 0 ? null : [{ host: best, gpus }];
  }
  const needed = Math.ceil(gpus / gpusPerHost);
  const parts: Part[] = [];
  for (const [host, left] of free.entries()) {
    if (left === gpusPerHost) parts.push({ host, gpus: gpusPerHost });
    if (parts.length === needed) return parts;
  }
  return null;
}

function take(free: number[], parts: readonly Part[], sign: 1 | -1): void {
  for (const { host, gpus } of parts) free[host] = (free[host] ?? 0) + sign * gpus;
}
