/** When blocks become free: the known ends of the jobs on the instances. */
import type { Id, Occupant, Timestamp } from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';

interface End {
  readonly at: Timestamp;
  readonly blocks: number;
}

export class KnownEnds {
  readonly now: Timestamp;
  /** By instance, the earliest first. */
  readonly #ends = new Map<Id, End[]>();
  readonly #clearedAt: ReadonlyMap<Id, Timestamp>;

  /**
   * `clearedAt`: by instance, when all jobs have to leave it. One that would end later goes on after the maintenance,
   * before others: nothing is known of its end.
   */
  constructor(
    occupants: readonly Occupant[],
    now: Timestamp,
    clearedAt: ReadonlyMap<Id, Timestamp> = new Map(),
  ) {
    this.now = now;
    this.#clearedAt = clearedAt;
    for (const occupant of occupants) {
      const at = endOf(occupant, now);
      const { instanceId, blocks } = occupant;
      if (at !== null && this.#isInTime(instanceId, at)) this.add(instanceId, { at, blocks });
    }
  }

  /** Whether no end is known at all. */
  get isEmpty(): boolean {
    return this.#ends.size === 0;
  }

  /** A job that is placed now. */
  occupy(instanceId: Id, blocks: number, seconds: number | null): void {
    if (seconds === null) return;
    const at = this.now + seconds * SECOND;
    if (this.#isInTime(instanceId, at)) this.add(instanceId, { at, blocks });
  }

  #isInTime(instanceId: Id, at: Timestamp): boolean {
    return at <= (this.#clearedAt.get(instanceId) ?? Infinity);
  }

  /** Blocks of the instance whose jobs end no later than `at`. */
  freedBy(instanceId: Id, at: Timestamp): number {
    let blocks = 0;
    for (const end of this.#ends.get(instanceId) ?? []) if (end.at <= at) blocks += end.blocks;
    return blocks;
  }

  /**
   * Since when `wanted` blocks are free for good on an instance on which `free` are free now: `now` if
   * they are, null if that is not known.
   */
  freeAt(instanceId: Id, free: number, wanted: number): Timestamp | null {
    const ends = this.#ends.get(instanceId) ?? [];
    let left = ends.reduce((sum, { blocks }) => sum + blocks, free);
    let since: Timestamp | null = null;
    for (const { at, blocks } of ends.toReversed()) {
      if (left < wanted) return since;
      since = at;
      left -= blocks;
    }
    return left < wanted ? since : this.now;
  }

  /** Negative blocks: those of a job that begins then. */
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
 * The end of a job as if it had run since it has its place; from then on that of its `max_duration`, and
 * while it is being stopped that of its `stop_duration`. So an end is only put off at the moment at which
 * it was expected, for which a pass is due. Null: it should have ended, and nothing is known any more.
 */
export function endOf({ startedAt, runningAt, limit }: Occupant, now: Timestamp): Timestamp | null {
  const ends = [startedAt, ...(runningAt === null ? [] : [runningAt])].map(
    (since) => since + limit.seconds * SECOND,
  );
  const stopped = runningAt === null || limit.stopSeconds === null ? 0 : limit.stopSeconds * SECOND;
  const last = Math.max(...ends) + stopped;
  return [...ends, last].find((end) => end > now) ?? null;
}
