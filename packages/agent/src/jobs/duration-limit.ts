import { monotonicMs } from '../host/clock.ts';
import { bootId } from '../host/process-identity.ts';

/** A moment of the monotonic clock, which is the same for all processes of one boot. */
export interface BootMoment {
  readonly bootId: string;
  readonly ms: number;
}

export type BootClock = () => BootMoment;

/** No step of the wall clock moves it, and it stands still while the host is suspended. */
export const bootClock: BootClock = () => ({
  bootId: bootId(),
  ms: monotonicMs(),
});

/** The part of a record about the end of `max_duration`. */
export interface DurationLimit {
  /** `max_duration` in seconds; null = none. */
  readonly seconds: number | null;
  readonly endsAt: BootMoment | null;
  /** Milliseconds since the epoch; all that the record of an older agent has. */
  readonly deadline: number | null;
}

/** Milliseconds until the limit of a running process is reached; null = it has none. */
export function durationLeft(
  { seconds, endsAt, deadline }: DurationLimit,
  now: BootMoment,
  wallMs: number,
): number | null {
  if (endsAt?.bootId === now.bootId) return Math.max(0, endsAt.ms - now.ms);
  if (deadline === null) return null;
  const most = (seconds ?? 0) * 1000;
  return Math.min(most, Math.max(0, deadline - wallMs));
}
