/** The figures of a schedule. */
import { percentile } from '../measure.ts';
import type { Outcome } from './textbook.ts';
import { type Trace, usedGpus } from './trace.ts';

/** The part of an outcome that is measured. */
type Timed = Pick<Outcome, 'job' | 'startedAt' | 'endsAt'>;

/** Jobs of seconds would dominate: run times below this count as this. */
const BOUND = 10;

export function figuresOf(trace: Trace, outcomes: readonly Timed[]) {
  const waits = outcomes.map((one) => one.startedAt - one.job.arrives);
  const slowdowns = outcomes.map(slowdownOf);
  return {
    utilisation: rounded(utilisation(trace, outcomes), 3),
    wait_mean_s: rounded(mean(waits)),
    wait_p50_s: rounded(percentile(waits, 50)),
    wait_p95_s: rounded(percentile(waits, 95)),
    wait_max_s: rounded(Math.max(...waits)),
    slowdown_mean: rounded(mean(slowdowns), 1),
    slowdown_p95: rounded(percentile(slowdowns, 95), 1),
    fairness: rounded(jain(trace, outcomes), 3),
  };
}

export type Figures = ReturnType<typeof figuresOf>;

/** The means over several traces. */
export function averaged(all: readonly Figures[]): Figures {
  const keys = Object.keys(all[0] ?? {}) as (keyof Figures)[];
  const means = keys.map((key) => [key, rounded(mean(all.map((one) => one[key])), 3)]);
  return Object.fromEntries(means) as Figures;
}

function slowdownOf({ job, startedAt, endsAt }: Timed): number {
  const run = endsAt - startedAt;
  return Math.max(1, (endsAt - job.arrives) / Math.max(run, BOUND));
}

/** From the arrival of the 10th to that of the 90th percentile: without the first and the last hours. */
function windowOf({ jobs }: Trace): readonly [number, number] {
  const arrivals = jobs.map((job) => job.arrives);
  return [percentile(arrivals, 10), percentile(arrivals, 90)];
}

function usedIn(trace: Trace, { job, startedAt, endsAt }: Timed): number {
  const [from, to] = windowOf(trace);
  const seconds = Math.min(endsAt, to) - Math.max(startedAt, from);
  return Math.max(0, seconds) * usedGpus(job, trace.gpusPerHost);
}

function utilisation(trace: Trace, outcomes: readonly Timed[]): number {
  const [from, to] = windowOf(trace);
  const used = outcomes.reduce((sum, one) => sum + usedIn(trace, one), 0);
  return used / (trace.hosts * trace.gpusPerHost * (to - from));
}

/** Jain's index over the mean slowdowns of the projects: 1 = all of them wait alike. */
function jain(_trace: Trace, outcomes: readonly Timed[]): number {
  const byProject = Map.groupBy(outcomes, ({ job }) => job.project);
  const means = [...byProject.values()].map((own) => mean(own.map(slowdownOf)));
  const sum = means.reduce((a, b) => a + b, 0);
  const squares = means.reduce((a, b) => a + b * b, 0);
  return (sum * sum) / (means.length * squares);
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, one) => sum + one, 0) / Math.max(1, values.length);

const rounded = (value: number, digits = 0): number => Number(value.toFixed(digits));
