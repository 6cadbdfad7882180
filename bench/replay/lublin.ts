/**
 * The model of Lublin and Feitelson (JPDC 63(11), 2003), with the constants of the whole sample: sizes,
 * run times and arrivals of jobs on a parallel computer.
 */
import type { TraceRandom } from './random.ts';
import { DAY, roundedLimit, type Trace, type TraceJob } from './trace.ts';

const HOSTS = 64;
const BUCKET = 1800;
const BUCKETS = DAY / BUCKET;
/** The hour at which the day of the model begins. */
const DAY_STARTS = 11;

export type Limits = 'exact' | 'user';

/** Each job has whole hosts of one GPU. */
export function lublin(random: TraceRandom, count: number, limits: Limits): Trace {
  const arrivals = arrivalsOf(random, count);
  const jobs = arrivals.map((arrives, index): TraceJob => {
    const gpus = sizeOf(random);
    const runs = Math.max(1, Math.round(runTime(random, gpus)));
    const asked = roundedLimit(runs / random.between(0.02, 1));
    const project = `p${random.choice([1, 2, 3, 4, 5, 6].map((one) => [one, 1 / one ** 1.2]))}`;
    const name = `j${String(index).padStart(6, '0')}`;
    return { name, arrives, gpus, runs, limit: limits === 'exact' ? runs : asked, project };
  });
  return { name: `lublin-${limits}`, hosts: HOSTS, gpusPerHost: 1, jobs, notes: [] };
}

function sizeOf(random: TraceRandom): number {
  if (random.chance(0.244)) return 1;
  const high = Math.log2(HOSTS);
  const middle = high - 2.5;
  const power = random.chance(0.86) ? random.between(0.8, middle) : random.between(middle, high);
  const isPower = random.chance(0.576);
  return Math.min(HOSTS, Math.round(2 ** (isPower ? Math.round(power) : power)));
}

function runTime(random: TraceRandom, size: number): number {
  const p = -0.0054 * size + 0.78;
  for (;;) {
    const x = random.chance(p) ? random.gamma(4.2, 0.94) : random.gamma(312, 0.03);
    if (x <= 12) return Math.exp(x);
  }
}

/**
 * Gaps of e^gamma, paid from the half hours of a day: what is left of a gap in one of them goes on in
 * the next. Busy half hours have more to give.
 */
function arrivalsOf(random: TraceRandom, count: number): number[] {
  const weights = bucketWeights(random);
  const mean = weights.reduce((sum, one) => sum + one, 0) / BUCKETS;
  const arrivals: number[] = [];
  let bucket = 0;
  let left = weights[0] ?? 0;
  while (arrivals.length < count) {
    let gap = Math.exp(random.gamma(10.2303 * 1.0225, 0.4871)) / BUCKET;
    while (gap * mean > left) {
      gap -= left / mean;
      bucket += 1;
      left = weights[bucket % BUCKETS] ?? 0;
    }
    left -= gap * mean;
    const share = weights[bucket % BUCKETS] ?? 0;
    const within = share === 0 ? 0 : 1 - left / share;
    arrivals.push((bucket + within) * BUCKET + DAY_STARTS * 3600);
  }
  return arrivals;
}

/** How much of a gamma distribution lies in each half hour; by sampling, with the seed of the trace. */
function bucketWeights(random: TraceRandom): number[] {
  const samples = 20_000;
  const weights = Array.from({ length: BUCKETS }, () => 1 / samples);
  for (let i = 0; i < samples; i++) {
    const bucket = Math.floor(random.gamma(8.1737, 3.9631)) % BUCKETS;
    weights[bucket] = (weights[bucket] ?? 0) + 1 / samples;
  }
  return weights;
}
