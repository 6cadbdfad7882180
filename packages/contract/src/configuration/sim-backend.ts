/**
 * The simulated backend of tests and benchmarks. A server takes it only where its environment allows
 * it; editors and the API do not know it, since every answer shows the type that it stands for.
 */
import type * as z from 'zod';
import { Problem, quote } from '../grammar/problem.ts';
import { bool, float, int, optional, path, readFloat } from './scalars.ts';
import { choice, closed, type Reader, reader } from './schema-kit.ts';

/** Types that it can stand for. */
export const SIM_TYPES = [
  'aws',
  'azure',
  'gcp',
  'kubernetes',
  'lambda',
  'runpod',
  'slurm',
  'vastai',
] as const;
export type SimType = (typeof SIM_TYPES)[number];

const probability = () => optional(float({ ge: 0, le: 1 }));
const seconds = () => optional(float({ ge: 0 }));

/** One number, or the shortest and the longest time. */
const SecondsRange: Reader<readonly [number, number]> = reader(
  (value) => {
    const [from, to] = (Array.isArray(value) ? value : [value, value]).map(readFloat);
    if (typeof from === 'number' && typeof to === 'number' && 0 <= from && from <= to) {
      return [from, to] as const;
    }
    return new Problem(`must be seconds like 2, or a range like [0, 2], got ${quote(value)}`);
  },
  { type: 'array' },
);

const KNOBS = {
  /** Time until a machine or volume is ready. */
  boot_seconds: optional(SecondsRange),
  never_ready: probability(),
  fails_to_boot: probability(),
  no_capacity: probability(),
  /** How many machines may exist. */
  quota: optional(int({ ge: 0 })),
  /** Calls that fail with 500 or 429, and such that are carried out while their answer is lost. */
  error: probability(),
  rate_limit: probability(),
  lost_response: probability(),
  /** The longest time that a call takes. */
  slow_seconds: seconds(),
  /** How long a new machine is missing from answers about it. */
  eventual_seconds: seconds(),
  /** The first request to release a machine is only accepted. */
  slow_release: probability(),
  /** Time until a volume is attached, and until it is detached. */
  attach_seconds: optional(SecondsRange),
  /** Volumes that are detached by force only. */
  stuck_detach: probability(),
  /** What waits as long as this is set: calls before or after their effect, or machines that boot. */
  hold: optional(choice(['request', 'answer', 'boot'])),
};

/** What is set while a server runs. */
export const SimKnobs = closed(KNOBS);
export type SimKnobs = z.infer<typeof SimKnobs>;

export const SimBackendConfig = closed({
  type: choice(['sim'], 'literal_error'),
  as: choice(SIM_TYPES),
  /**
   * `scripted`: in the process of the server, thousands of them, whose jobs are scripts. `real`:
   * agent programs on the server host, at most 20.
   */
  agent: choice(['scripted', 'real']).default('scripted'),
  /** Of real agents. */
  executor: choice(['process', 'docker']).default('process'),
  /** Where the provider keeps what exists; by default in the folder of the server. */
  dir: optional(path()),
  /** Whether changes are reported, so that the server need not ask. */
  watch: bool().default(false),
  ...KNOBS,
});
export type SimBackendConfig = z.infer<typeof SimBackendConfig>;
