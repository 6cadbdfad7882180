import type { HostCheck, HostGpu } from '@dstack/contract/agent';
import type { EventLogger } from '../log.ts';
import type { Check } from './check.ts';
import { diskCheck } from './disk.ts';
import { gpuChecks } from './gpu-check.ts';
import { HealthWatch } from './health-watch.ts';

/** Variable of the agent's environment, which a fleet's `env` sets on its hosts. */
export const HEALTH_SECONDS = 'DSTACK_AGENT_HEALTH_SECONDS';

const DEFAULT_SECONDS = 60;
const MOST_SECONDS = 86_400;

/** Disks and the executor are checked this many times in a period, because such checks are cheap. */
const QUICK_RUNS = 4;

/** Unchanged results are reported once in this many periods. */
const REPEAT_PERIODS = 10;

/** Milliseconds between two checks of a GPU; null = no checks at all. */
export function healthPeriod(env: NodeJS.ProcessEnv, log: EventLogger): number | null {
  const text = env[HEALTH_SECONDS] ?? '';
  if (text === '') return DEFAULT_SECONDS * 1000;
  const seconds = Number(text);
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > MOST_SECONDS) {
    // Without an agent the host could run no jobs at all.
    const problem = `must be a whole number from 0 to ${MOST_SECONDS}, not ${text}`;
    log.error('setting ignored', `${HEALTH_SECONDS} ${problem}`);
    return DEFAULT_SECONDS * 1000;
  }
  return seconds === 0 ? null : seconds * 1000;
}

export interface HostHealthOptions {
  readonly periodMs: number;
  readonly gpus: readonly HostGpu[];
  /** The disks of images and jobs. */
  readonly paths: readonly string[];
  /** Whether the executor can start jobs. */
  readonly executor: Check['run'];
  readonly report: (checks: readonly HostCheck[]) => void;
  readonly log: EventLogger;
}

export function watchHealth(options: HostHealthOptions): HealthWatch {
  const { periodMs, gpus, paths, executor, report, log } = options;
  const often = periodMs / QUICK_RUNS;
  return new HealthWatch({
    checks: [
      diskCheck(paths, often),
      { name: 'executor', periodMs: often, isCheap: true, run: executor },
      ...gpuChecks(gpus, periodMs),
    ],
    repeatMs: periodMs * REPEAT_PERIODS,
    report,
    log,
  });
}
