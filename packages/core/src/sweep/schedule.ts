/** When a backend is swept again. */
import { stableFraction } from '../hash/stable-hash.ts';
import type { Timestamp } from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { CONFIRM_AFTER, type SweepDecision } from './orphans.ts';

const HOUR = 3600 * SECOND;

/** The share of the hour over which sweeps are spread. */
const JITTER = 0.1;

const FIRST_RETRY = 60 * SECOND;

/** A provider may take minutes to end a machine; the delays until the next request grow. */
const ENDING_AGAIN = 120 * SECOND;

/** `seed` differs for each backend and each sweep: core has no randomness. */
export function nextSweep(
  { orphans, toEnd, isWatching }: Pick<SweepDecision, 'orphans' | 'toEnd' | 'isWatching'>,
  seed: string,
  now: Timestamp,
): Timestamp {
  const delays = toEnd.map(({ endRequestedAt }) =>
    Math.max(ENDING_AGAIN, now - (endRequestedAt ?? now)),
  );
  const isUnconfirmed = orphans.some(({ reportedAt }) => reportedAt === null);
  if (isUnconfirmed || isWatching) delays.push(CONFIRM_AFTER);
  return now + Math.min(jittered(HOUR, seed), ...delays);
}

/** Whether it is time; a later one than any rule sets was stored by a server whose clock was ahead. */
export function isSweepDue(nextAt: Timestamp, now: Timestamp): boolean {
  return nextAt <= now || nextAt > now + HOUR * (1 + JITTER);
}

/** After `failures` failures in a row; the delay doubles up to an hour. */
export function sweepRetry(failures: number, seed: string, now: Timestamp): Timestamp {
  return now + jittered(Math.min(FIRST_RETRY * 2 ** (failures - 1), HOUR), seed);
}

function jittered(delay: number, seed: string): number {
  return Math.round(delay * (1 + JITTER * (2 * stableFraction(seed) - 1)));
}
