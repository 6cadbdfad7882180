/**
 * A mix like that of published GPU clusters (Helios, Philly, PAI), fitted by eye: most jobs have one GPU,
 * large ones have most of the GPU time, and run times spread over five orders of magnitude.
 */
import type { TraceRandom } from './random.ts';
import { DAY, LONGEST, roundedLimit, type Trace, type TraceJob } from './trace.ts';

const HOSTS = 64;
const GPUS_PER_HOST = 8;
const USERS = 40;
const PROJECTS = 6;

interface Shape {
  readonly gpus: number;
  /** Seconds. */
  readonly median: number;
  readonly sigma: number;
}

const SHAPES: readonly (readonly [Shape, number])[] = [
  [{ gpus: 1, median: 600, sigma: 2 }, 0.65],
  [{ gpus: 2, median: 1200, sigma: 2 }, 0.1],
  [{ gpus: 4, median: 2400, sigma: 1.9 }, 0.08],
  [{ gpus: 8, median: 3600, sigma: 1.9 }, 0.12],
  [{ gpus: 16, median: 7200, sigma: 1.7 }, 0.025],
  [{ gpus: 32, median: 7200, sigma: 1.7 }, 0.017],
  [{ gpus: 64, median: 7200, sigma: 1.7 }, 0.008],
];

export function gpuMix(random: TraceRandom, count: number): Trace {
  const users = Array.from({ length: USERS }, (_, i) => [i, 1 / (i + 1) ** 1.2] as const);
  const jobs: TraceJob[] = [];
  let at = 0;
  while (jobs.length < count) {
    at += (-Math.log(1 - random.next()) * 60) / activity(at);
    const project = `p${random.choice(users) % PROJECTS}`;
    const shape = random.choice(SHAPES);
    const typical = shape.median * Math.exp(shape.sigma * random.normal());
    const burst = 1 + random.geometric(0.3);
    for (let i = 0; i < burst && jobs.length < count; i++) {
      const name = `j${String(jobs.length).padStart(6, '0')}`;
      jobs.push({ name, arrives: at, gpus: shape.gpus, project, ...timesOf(random, typical) });
    }
  }
  return { name: 'gpu-mix', hosts: HOSTS, gpusPerHost: GPUS_PER_HOST, jobs, notes: [] };
}

/** Jobs of one burst last alike; some fail early, some are stopped. */
function timesOf(random: TraceRandom, typical: number): Pick<TraceJob, 'runs' | 'limit'> {
  const whole = Math.min(LONGEST, Math.max(5, typical * Math.exp(0.3 * random.normal())));
  // Those without a limit get the one that a partition has for them.
  const limit = random.chance(0.15) ? LONGEST : roundedLimit(whole / random.between(0.02, 1));
  const end = random.next();
  const part = end < 0.12 ? 0.1 : end < 0.27 ? random.next() : 1;
  return { runs: Math.max(1, Math.round(whole * part)), limit };
}

/** Three times as much by day as by night, half on weekends. */
function activity(at: number): number {
  const hour = (at % DAY) / 3600;
  const day = Math.floor(at / DAY) % 7;
  return (hour >= 8 && hour < 20 ? 1.5 : 0.5) * (day >= 5 ? 0.5 : 1);
}
