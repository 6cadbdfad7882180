/**
 * The simulated backend of tests and benchmarks. A server accepts it only if its environment allows
 * it. Editors and the API have no such type: every answer shows the type that it simulates.
 */
import type * as z from 'zod';
import { Problem, quote } from '../grammar/problem.ts';
import { bool, float, int, optional, path, readFloat } from './scalars.ts';
import { choice, closed, type Reader, reader } from './schema-kit.ts';

/** Types that it can simulate. */
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
  /**
   * Probabilities that a call fails with 500 or 429, or that it takes effect while its answer is
   * lost.
   */
  error: probability(),
  rate_limit: probability(),
  lost_response: probability(),
  /** The longest time that a call takes. */
  slow_seconds: seconds(),
  /** How long answers do not contain a new machine. */
  eventual_seconds: seconds(),
  /** The first request to release a machine is accepted without an effect. */
  slow_release: probability(),
  /** Time until a volume is attached, and until it is detached. */
  attach_seconds: optional(SecondsRange),
  /** Volumes that can only be detached by force. */
  stuck_detach: probability(),
  /**
   * Holds back, as long as it is set, calls before or after their effect, or machines that boot.
   */
  hold: optional(choice(['request', 'answer', 'boot'])),
};

/** Settings that can change while a server runs. */
export const SimKnobs = closed(KNOBS);
export type SimKnobs = z.infer<typeof SimKnobs>;

export const SimBackendConfig = closed({
  type: choice(['sim'], 'literal_error'),
  as: choice(SIM_TYPES),
  /**
   * `scripted`: thousands of agents in the server's process, whose jobs are scripts. `real`: agent
   * programs on the server host, at most 20.
   */
  agent: choice(['scripted', 'real']).default('scripted'),
  /** The executor of real agents. */
  executor: choice(['process', 'docker']).default('process'),
  /**
   * The folder in which the simulated cloud keeps its state; by default in the folder of the
   * server.
   */
  dir: optional(path()),
  /** Whether the backend reports changes, so that the server need not ask. */
  watch: bool().default(false),
  /** Where agents ask whether their machine is taken back, in the form of EC2's metadata. */
  notice_url: optional(path()),
  ...KNOBS,
});
export type SimBackendConfig = z.infer<typeof SimBackendConfig>;
