/** How many replicas one rule requires. */
import type { AutoscalingRule } from '@dstack/contract/wire';

export interface GroupSize {
  /** The desired number. */
  readonly current: number;
  /** Replicas that answer requests. */
  readonly ready: number;
  readonly min: number;
  readonly max: number;
  /** There was a request in the longest window, or one is in flight. */
  readonly isUsed: boolean;
  /** The figures of replicas may still be those of another number of replicas. */
  readonly isSettling: boolean;
}

/** A mean that differs from its target by less than this part changes nothing. */
const TOLERANCE = 0.1;

/** GPUs below this use do nothing. */
const IDLE_PERCENT = 1;

/** The most by which one step multiplies the replicas, as a mean is not proportional to them. */
const LARGEST_STEP = 2;

/** Within the bounds; `value` null = unknown, which never changes the number. */
export function requiredReplicas(
  rule: AutoscalingRule,
  value: number | null,
  size: GroupSize,
): number {
  const { min, max, current } = size;
  if (current === 0) return wakeOf(rule, value, size);
  const least = min > 0 || !size.isUsed ? min : 1;
  const wanted = value === null ? withoutFigure(rule, size) : unbounded(rule, value, size);
  return Math.min(Math.max(wanted, least), max);
}

/** Without replicas there are no means, and a request must not wait for a figure. */
function wakeOf(rule: AutoscalingRule, value: number | null, size: GroupSize): number {
  const own = isTotal(rule) && value !== null ? perReplica(value, rule.target) : 0;
  return Math.min(Math.max(own, size.min, size.isUsed ? 1 : 0), size.max);
}

function withoutFigure({ metric }: AutoscalingRule, { current, isUsed }: GroupSize): number {
  // Without requests there is no latency: nothing is needed.
  return metric === 'latency' && !isUsed ? 0 : current;
}

function unbounded(rule: AutoscalingRule, value: number, size: GroupSize): number {
  if (isTotal(rule)) return perReplica(value, rule.target);
  const { current, ready, isUsed, isSettling } = size;
  const ratio = value / rule.target;
  if (!isUsed && value < IDLE_PERCENT && rule.metric === 'gpu') return 0;
  if (isSettling || ready === 0 || Math.abs(ratio - 1) <= TOLERANCE) return current;
  if (ratio > 1) {
    // Replicas that are starting have to relieve the others first.
    if (ready < current) return current;
    return Math.min(perReplica(ready * ratio, 1), current * LARGEST_STEP);
  }
  const fewer = Math.max(1, Math.min(current, perReplica(ready * ratio, 1)));
  // Half the latency does not mean that half the replicas would do.
  return rule.metric === 'latency' ? Math.max(fewer, current - 1) : fewer;
}

function isTotal({ metric }: AutoscalingRule): boolean {
  return metric !== 'latency' && metric !== 'gpu';
}

/** Rounding errors need no replica. */
function perReplica(value: number, target: number): number {
  return Math.max(0, Math.ceil(value / target - 1e-9));
}
