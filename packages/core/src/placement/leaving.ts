/** Jobs that have to leave for waiting gangs, as forecasts count them. */
import type { ClaimState, Gang, Occupant, ReservedShare, Timestamp } from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { gangKeyOf } from '../quotas/claims.ts';
import { gangKey } from './gang-request.ts';
import { endOf, type KnownEnds } from './place/known-ends.ts';

type Place = Pick<Occupant, 'instanceId' | 'blocks' | 'runningAt'>;

/** The last moment at which those that were asked to leave are still there. */
export const leavesBy = ({
  requestedAt,
  seconds,
}: NonNullable<ClaimState['eviction']>): Timestamp => requestedAt + seconds * SECOND;

interface LeftStart {
  readonly startsAt: Timestamp;
  /** Some leave sooner, and some take a moment longer. */
  readonly isAbout: true;
  readonly shares: readonly ReservedShare[];
}

export class LeavingJobs {
  readonly #leaving: readonly ClaimState[];

  constructor(claims: readonly ClaimState[]) {
    this.#leaving = claims.filter(({ eviction }) => eviction !== null);
  }

  /** Whether this is the place of one of them. */
  has(place: Place): boolean {
    return this.#leaving.some((one) => isSame(one, place));
  }

  /** Where and when the gang starts that has asked them; null: all whom it has asked have left. */
  startFor(gang: Gang, now: Timestamp): LeftStart | null {
    const key = gangKey(gang);
    const { reclaim = null } = gang.jobs[0] ?? {};
    const ends = this.#leaving.flatMap(({ eviction }) =>
      eviction !== null && gangKeyOf(eviction) === key ? [leavesBy(eviction)] : [],
    );
    if (reclaim === null || ends.length === 0) return null;
    return { startsAt: Math.max(now, ...ends), isAbout: true, shares: reclaim.shares ?? [] };
  }

  /** They end with their grace, and not later, as they would by themselves. */
  addTo(ends: KnownEnds, occupants: readonly Occupant[]): void {
    const { now } = ends;
    for (const one of this.#leaving) {
      if (one.eviction === null) continue;
      const { instanceId, blocks } = one;
      const occupant = occupants.find((other) => isSame(one, other));
      const ownEnd = occupant === undefined ? null : endOf(occupant, now);
      const at = Math.max(now, leavesBy(one.eviction));
      if (ownEnd !== null && ownEnd <= at) continue;
      if (ownEnd !== null) ends.add(instanceId, { at: ownEnd, blocks: -blocks });
      ends.add(instanceId, { at, blocks });
    }
  }
}

/** Places have no id; two jobs that began at the same microsecond are of the same gang and leave together. */
function isSame(one: Place, other: Place): boolean {
  return (
    one.instanceId === other.instanceId &&
    one.blocks === other.blocks &&
    one.runningAt === other.runningAt
  );
}
