/** The amounts of priced intervals, in whole micro-dollars and milliseconds. */
import type { LedgerAmounts, PricedInterval, Timestamp } from '../model/index.ts';

const MS = 1000;
const HOUR = 3_600_000_000n;

/** Microseconds. */
export const DAY = 86_400_000_000;

/** The part of an interval on one day. */
export interface DayPart {
  /** Days since the epoch, UTC. */
  readonly day: number;
  readonly since: Timestamp;
  readonly until: Timestamp;
  readonly amounts: LedgerAmounts;
}

/** The parts of an interval by days. Their amounts add up to those of the interval exactly. */
export function dayParts(interval: PricedInterval): DayPart[] {
  const parts: DayPart[] = [];
  for (let since = interval.since; since < interval.until; ) {
    const day = Math.floor(since / DAY);
    const until = Math.min(interval.until, (day + 1) * DAY);
    parts.push({ day, since, until, amounts: amountsWithin(interval, since, until) });
    since = until;
  }
  return parts;
}

/**
 * The amounts of the part of an interval between two moments. Amounts are counted from the beginning of the interval and
 * rounded down there, so that parts that follow each other add up to the whole, and the jobs of a machine never to
 * more than the machine.
 */
export function amountsWithin(
  interval: PricedInterval,
  since: Timestamp,
  until: Timestamp,
): LedgerAmounts {
  const from = Math.max(since, interval.since);
  const to = Math.min(until, interval.until);
  if (to <= from) return NO_AMOUNTS;
  return minusAmounts(upTo(interval, to), upTo(interval, from));
}

export const NO_AMOUNTS: LedgerAmounts = { ms: 0, gpuMs: 0, cost: 0, unpricedMs: 0 };

export function plusAmounts(a: LedgerAmounts, b: LedgerAmounts): LedgerAmounts {
  return {
    ms: a.ms + b.ms,
    gpuMs: a.gpuMs + b.gpuMs,
    cost: a.cost + b.cost,
    unpricedMs: a.unpricedMs + b.unpricedMs,
  };
}

export function minusAmounts(a: LedgerAmounts, b: LedgerAmounts): LedgerAmounts {
  return {
    ms: a.ms - b.ms,
    gpuMs: a.gpuMs - b.gpuMs,
    cost: a.cost - b.cost,
    unpricedMs: a.unpricedMs - b.unpricedMs,
  };
}

function upTo(interval: PricedInterval, at: Timestamp): LedgerAmounts {
  const { price, gpus, blocks, totalBlocks } = interval;
  const time = at - interval.since;
  const ms = Math.floor(time / MS);
  return {
    ms,
    gpuMs: shareOf(BigInt(gpus) * BigInt(time), blocks, totalBlocks, BigInt(MS)),
    cost: price === null ? 0 : shareOf(BigInt(price) * BigInt(time), blocks, totalBlocks, HOUR),
    unpricedMs: price === null ? ms : 0,
  };
}

/** Exact: a year of an expensive machine exceeds what a number can hold. */
function shareOf(whole: bigint, blocks: number, totalBlocks: number, unit: bigint): number {
  const total = Math.max(1, totalBlocks);
  const part = Math.min(Math.max(0, blocks), total);
  return Number((whole * BigInt(part)) / (unit * BigInt(total)));
}
