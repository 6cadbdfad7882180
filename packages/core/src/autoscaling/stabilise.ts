/** Changes the number of replicas only if a rule has required it for a while. */
import type { ScalingTrack, Timestamp } from '../model/index.ts';
import { SECOND } from '../model/values.ts';

export interface Requirement {
  readonly current: number;
  readonly wanted: number;
  readonly now: Timestamp;
  /** Seconds. */
  readonly upDelay: number;
  readonly downDelay: number;
}

export interface Stabilised {
  /** `current`, or the most moderate number that was required for the whole delay. */
  readonly count: number;
  readonly track: ScalingTrack | null;
  /** When `count` changes if the rule goes on; null = it requires no change. */
  readonly due: Timestamp | null;
}

export function stabilise(before: ScalingTrack | null, requirement: Requirement): Stabilised {
  const { current, wanted, now, upDelay, downDelay } = requirement;
  if (wanted === current) return { count: current, track: null, due: null };
  const direction = wanted > current ? 'up' : 'down';
  const goesOn = before !== null && before.from === current && before.direction === direction;
  const moderate = !goesOn
    ? wanted
    : direction === 'up'
      ? Math.min(before.moderate, wanted)
      : Math.max(before.moderate, wanted);
  const since = goesOn ? before.since : now;
  const track = { from: current, direction, since, moderate } as const;
  // Requests wait while there is no replica.
  const delay = current === 0 ? 0 : direction === 'up' ? upDelay : downDelay;
  const due = since + delay * SECOND;
  return { count: now >= due ? moderate : current, track, due: now >= due ? null : due };
}
