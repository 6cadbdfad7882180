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

type Leaving = ClaimState & { readonly eviction: NonNullable<ClaimState['eviction']> };

export class LeavingJobs {
  readonly #leaving: readonly Leaving[];
  readonly #places: ReadonlySet<string>;
  /** By gang that has asked others: when the last of these has left. */
  readonly #leftAt = new Map<string, Timestamp>();

  constructor(claims: readonly ClaimState[]) {
    this.#leaving = claims.filter((one): one is Leaving => one.eviction !== null);
    this.#places = new Set(this.#leaving.map(placeKey));
    for (const { eviction } of this.#leaving) {
      const key = gangKeyOf(eviction);
      this.#leftAt.set(key, Math.max(this.#leftAt.get(key) ?? 0, leavesBy(eviction)));
    }
  }

  /** Whether this is the place of one of them. */
  has(place: Place): boolean {
    return this.#places.has(placeKey(place));
  }

  /** Where and when the gang starts that has asked them; null: all whom it has asked have left. */
  startFor(gang: Gang, now: Timestamp): LeftStart | null {
    const leftAt = this.#leftAt.get(gangKey(gang));
    const { reclaim = null } = gang.jobs[0] ?? {};
    if (reclaim === null || leftAt === undefined) return null;
    return { startsAt: Math.max(now, leftAt), isAbout: true, shares: reclaim.shares ?? [] };
  }

  /** They end with their grace, and not later, as they would by themselves. */
  addTo(ends: KnownEnds, occupants: readonly Occupant[]): void {
    const { now } = ends;
    const byPlace = new Map(occupants.map((one) => [placeKey(one), one]));
    for (const one of this.#leaving) {
      const { instanceId, blocks } = one;
      const occupant = byPlace.get(placeKey(one));
      const ownEnd = occupant === undefined ? null : endOf(occupant, now);
      const at = Math.max(now, leavesBy(one.eviction));
      if (ownEnd !== null && ownEnd <= at) continue;
      if (ownEnd !== null) ends.add(instanceId, { at: ownEnd, blocks: -blocks });
      ends.add(instanceId, { at, blocks });
    }
  }
}

/** Places have no id; two jobs that began at the same microsecond are of the same gang and leave together. */
const placeKey = ({ instanceId, blocks, runningAt }: Place): string =>
  `${instanceId} ${blocks} ${runningAt}`;
