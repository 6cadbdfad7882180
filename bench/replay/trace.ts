/** A trace: jobs with their arrivals, sizes, run times and limits. */
import type { ReplayedJob } from '../../packages/core/src/placement/testing-replay.ts';

export interface TraceJob extends ReplayedJob {
  readonly limit: number;
  readonly project: string;
}

export interface Trace {
  readonly name: string;
  /** The size of the pool that it is for. */
  readonly hosts: number;
  readonly gpusPerHost: number;
  readonly jobs: readonly TraceJob[];
  /** Parts of the trace that the reader has left out or changed. */
  readonly notes: readonly string[];
}

const MINUTE = 60;
const HOUR = 3600;
export const DAY = 24 * HOUR;

/** The limits that people write; the last one is that of a partition, for jobs without one. */
const LIMITS = [5, 15, 30, 60, 120, 240, 360, 720, 1440, 2880, 4320].map((one) => one * MINUTE);
export const LONGEST = 3 * DAY;

/** The next limit that a person would write. */
export function roundedLimit(seconds: number): number {
  return LIMITS.find((limit) => limit >= seconds) ?? Math.max(LONGEST, Math.ceil(seconds));
}

/**
 * Stretches the arrivals so that the work offered is this share of the capacity. Run times stay as they
 * are.
 */
export function withLoad(trace: Trace, load: number): Trace {
  const { jobs, hosts, gpusPerHost } = trace;
  const first = Math.min(...jobs.map((job) => job.arrives));
  const last = Math.max(...jobs.map((job) => job.arrives));
  const work = jobs.reduce((sum, job) => sum + usedGpus(job, gpusPerHost) * job.runs, 0);
  const factor = work / (load * hosts * gpusPerHost) / Math.max(1, last - first);
  return {
    ...trace,
    jobs: jobs.map((job) => ({ ...job, arrives: Math.round((job.arrives - first) * factor) })),
  };
}

/** A job larger than a host has whole hosts. */
export const usedGpus = ({ gpus }: ReplayedJob, gpusPerHost: number): number =>
  gpus <= gpusPerHost ? gpus : Math.ceil(gpus / gpusPerHost) * gpusPerHost;
