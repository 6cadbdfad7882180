/** When the pool is due again though nothing has signalled it. */
import type { Timestamp } from '../model/index.ts';
import { SECOND } from '../model/values.ts';

/** The shortest and longest time between two questions. */
const ASK_AGAIN = { least: 15 * SECOND, most: 300 * SECOND } as const;

export interface AskAgain {
  /** When the newest gang began to wait whose backends have to be asked again; null = there is none. */
  readonly waitingSince: Timestamp | null;
  /** Other times at which something is due; null = nothing. */
  readonly dues: readonly (Timestamp | null)[];
}

/**
 * Backends without signals are asked again, less often the longer the newest gang has waited. Null: not
 * without a signal.
 */
export function askAgain({ waitingSince, dues }: AskAgain, now: Timestamp): Timestamp | null {
  const times = dues.filter((at) => at !== null);
  if (waitingSince !== null) {
    const half = (now - waitingSince) / 2;
    times.push(now + Math.min(Math.max(half, ASK_AGAIN.least), ASK_AGAIN.most));
  }
  return times.length === 0 ? null : Math.min(...times);
}
