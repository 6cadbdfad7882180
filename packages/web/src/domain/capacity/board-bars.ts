import type { BoardJob, Fleet, QueuedPlace, QueuedRun, RunQueue } from '@dstack/contract/wire';

/**
 * `leaving`: it runs, and has notice to leave. `reserved`: it has reserved its place. `expected`: an estimate.
 * `tried`: a configuration that is not submitted. `maintenance`: nothing runs there.
 */
export type BarKind = 'running' | 'leaving' | 'reserved' | 'expected' | 'tried' | 'maintenance';

/** A part of an instance over time. Times are in ms. */
export interface BoardBar {
  readonly key: string;
  readonly kind: BarKind;
  readonly name: string;
  /** Null: the run has no page that the reader may see. */
  readonly run: { readonly project: string; readonly run: string } | null;
  readonly project: string | null;
  readonly user: string | null;
  readonly blocks: number;
  readonly from: number;
  /** Null: not known. */
  readonly to: number | null;
}

/** The bars of the jobs on an instance, the oldest first. */
export function jobBars(jobs: readonly BoardJob[], now: number): readonly BoardBar[] {
  return jobs.map((job, index) => {
    const { run_name, project_name, user_name, leaves_at, until } = job;
    const run = runOf(job.run_id, run_name, project_name);
    return {
      key: `job ${job.run_id ?? ''} ${job.job_name ?? index}`,
      kind: leaves_at === null ? 'running' : 'leaving',
      name: run === null ? OTHER : run_name,
      ...{ run, project: project_name, user: user_name },
      blocks: job.blocks,
      from: job.since === null ? now : Date.parse(job.since),
      to: timeOf(leaves_at ?? until),
    };
  });
}

const OTHER = 'A run of another project';

const runOf = (id: string | null, run: string, project: string | null) =>
  id === null || project === null ? null : { project, run };

const timeOf = (at: string | null) => (at === null ? null : Date.parse(at));

/** The bars of the runs that wait, by instance, in the order of the queue. */
export function queueBars({ runs }: RunQueue): ReadonlyMap<string, readonly BoardBar[]> {
  const bars = new Map<string, BoardBar[]>();
  for (const run of runs) {
    if (run.expected_start === null) continue;
    for (const { instance_id, blocks } of run.places) {
      const own = bars.get(instance_id) ?? [];
      own.push(queuedBar(run, blocks, Date.parse(run.expected_start)));
      bars.set(instance_id, own);
    }
  }
  return bars;
}

function queuedBar(queued: QueuedRun, blocks: number, from: number): BoardBar {
  const run = runOf(queued.run_id, queued.run, queued.project);
  return {
    key: `queue ${queued.place}`,
    kind: queued.is_about ? 'expected' : 'reserved',
    name: run === null ? OTHER : queued.run,
    ...{ run, project: queued.project, user: queued.user, blocks, from },
    to: queued.max_duration === null ? null : from + queued.max_duration * 1000,
  };
}

/** Where a configuration would go, by instance. */
export function triedBars(
  plan: {
    readonly places?: readonly QueuedPlace[] | undefined;
    readonly expected_start: string | null;
    readonly job_plans: readonly { readonly job_spec: { readonly max_duration: number | null } }[];
  },
  name: string,
  now: number,
): ReadonlyMap<string, readonly BoardBar[]> {
  const bars = new Map<string, BoardBar[]>();
  const from = timeOf(plan.expected_start) ?? now;
  const seconds = plan.job_plans[0]?.job_spec.max_duration ?? null;
  const to = seconds === null ? null : from + seconds * 1000;
  for (const { instance_id, blocks } of plan.places ?? []) {
    const own = bars.get(instance_id) ?? [];
    const key = `tried ${own.length}`;
    own.push({
      ...{ key, kind: 'tried', name, run: null, project: null, user: null, blocks, from, to },
    });
    bars.set(instance_id, own);
  }
  return bars;
}

/** The window of maintenance that the fleet is in, or the next one, on all blocks of an instance. */
export function maintenanceBar(
  { maintenance }: Pick<Fleet, 'maintenance'>,
  totalBlocks: number | null,
): BoardBar | null {
  if (maintenance === undefined) return null;
  const [from, to] = [Date.parse(maintenance.starts_at), Date.parse(maintenance.ends_at)];
  return {
    ...{ key: 'maintenance', kind: 'maintenance', name: 'Maintenance' },
    ...{ run: null, project: null, user: null, blocks: Math.max(1, totalBlocks ?? 1), from, to },
  };
}

/** A bar with its place among the blocks of the instance: the first of them, from 0. */
export interface LanedBar extends BoardBar {
  readonly lane: number;
}

/**
 * Puts bars that overlap in time on different blocks. One without a known end is passed by while there are other
 * blocks, then it is expected to be over when the next one begins. A bar for which no neighbouring blocks are free
 * lies over others, at the top: only the number of blocks of a job is known, not which ones.
 */
export function laned(bars: readonly BoardBar[], total: number): readonly LanedBar[] {
  const placed: LanedBar[] = [];
  for (const bar of bars.toSorted((a, b) => a.from - b.from)) {
    const possibly = placed.filter(({ to }) => to === null || to > bar.from);
    const surely = possibly.filter((other) => overlaps(other, bar));
    const lane = freeLane(possibly, bar.blocks, total) ?? freeLane(surely, bar.blocks, total) ?? 0;
    placed.push({ ...bar, lane });
  }
  return placed;
}

function freeLane(beside: readonly LanedBar[], blocks: number, total: number): number | null {
  for (let lane = 0; lane + blocks <= total; lane++) {
    const isTaken = beside.some(
      (other) => other.lane < lane + blocks && lane < other.lane + other.blocks,
    );
    if (!isTaken) return lane;
  }
  return null;
}

function overlaps(earlier: BoardBar, later: BoardBar): boolean {
  if (earlier.to !== null) return earlier.to > later.from;
  return isPresent(earlier) && isPresent(later);
}

const isPresent = ({ kind }: BoardBar): boolean => kind === 'running' || kind === 'leaving';

/** `train: 2 of 8 blocks, ann in lab`. */
export function barSubject(bar: BoardBar, total: number): string {
  const share = total > 1 ? `: ${bar.blocks} of ${total} blocks` : '';
  const whose = [bar.user, bar.project === null ? null : `in ${bar.project}`];
  const by = whose.filter((part) => part !== null).join(' ');
  return `${bar.name}${share}${by === '' ? '' : `, ${by}`}`;
}

/** `runs, ends in 20 min at the latest`; `timeText`: a moment in words. */
export function barTimes(bar: BoardBar, timeText: (time: number) => string): string {
  const { kind, from, to } = bar;
  switch (kind) {
    case 'running':
      return `since ${timeText(from)}, ${to === null ? 'without a known end' : `ends ${timeText(to)} at the latest`}`;
    case 'leaving':
      return `has to leave${to === null ? '' : ` ${timeText(to)}`}`;
    case 'reserved':
      return `reserved, starts ${timeText(from)}`;
    case 'expected':
      return `expected to start about ${timeText(from)}`;
    case 'maintenance':
      return `from ${timeText(from)}${to === null ? '' : ` until ${timeText(to)}`}`;
    case 'tried':
      return `would start ${timeText(from)}`;
  }
}

export const BAR_LABELS: Readonly<Record<BarKind, string>> = {
  running: 'Runs',
  leaving: 'Has to leave',
  reserved: 'Reserved',
  expected: 'Expected',
  maintenance: 'Maintenance',
  tried: 'Would go here',
};
