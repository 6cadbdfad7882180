/** When blocks become free: the known ends of the jobs on the instances. */
import type { Id, Occupant, TimeLimit, Timestamp } from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';

interface End {
  readonly at: Timestamp;
  readonly blocks: number;
}

export class KnownEnds {
  readonly now: Timestamp;
  /** By instance, the earliest first. */
  readonly #ends = new Map<Id, End[]>();

  constructor(occupants: readonly Occupant[], now: Timestamp) {
    this.now = now;
    for (const { instanceId, blocks, startedAt, limit } of occupants) {
      const at = endOf(startedAt, limit, now);
      if (at !== null) this.add(instanceId, { at, blocks });
    }
  }

  /** Whether no end is known at all. */
  get isEmpty(): boolean {
    return this.#ends.size === 0;
  }

  /** A job that is placed now. */
  occupy(instanceId: Id, blocks: number, seconds: number | null): void {
    if (seconds !== null) this.add(instanceId, { at: this.now + seconds * SECOND, blocks });
  }

  /** Blocks of the instance whose jobs end no later than `at`. */
  freedBy(instanceId: Id, at: Timestamp): number {
    let blocks = 0;
    for (const end of this.#ends.get(instanceId) ?? []) if (end.at <= at) blocks += end.blocks;
    return blocks;
  }

  /**
   * When `wanted` blocks are free on an instance on which `free` are free now: `now` if they are, null
   * if that is not known.
   */
  freeAt(instanceId: Id, free: number, wanted: number): Timestamp | null {
    if (free >= wanted) return this.now;
    let sum = free;
    for (const { at, blocks } of this.#ends.get(instanceId) ?? []) {
      sum += blocks;
      if (sum >= wanted) return at;
    }
    return null;
  }

  add(instanceId: Id, end: End): void {
    const known = this.#ends.get(instanceId);
    if (!known) {
      this.#ends.set(instanceId, [end]);
      return;
    }
    const later = known.findIndex(({ at }) => at > end.at);
    known.splice(later < 0 ? known.length : later, 0, end);
  }
}

/**
 * The end of a job by its `max_duration`; while it is being stopped, by its `stop_duration`. Null: it
 * should have ended, so that nothing is known any more.
 */
function endOf(startedAt: Timestamp, limit: TimeLimit, now: Timestamp): Timestamp | null {
  const end = startedAt + limit.seconds * SECOND;
  if (end > now) return end;
  if (limit.stopSeconds === null) return null;
  const killed = end + limit.stopSeconds * SECOND;
  return killed > now ? killed : null;
}
