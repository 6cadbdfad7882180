/**
 * Stage 4: the capacity that is kept for gangs that have to wait. Without it, smaller gangs could take
 * the capacity that a large one needs at once, again and again.
 *
 * The first waiting gang of a fleet *reserves* instances if the ends of enough jobs are known (EASY
 * backfill): others use them only if they end before the gang can start. The reservation is stored with
 * the gang's first job, so it outlives the pass and ends with the job's wait. If no start is known, the
 * gang *holds* what is free for this pass: others may only use what it cannot.
 */

import { isServerHost } from '../../capabilities/capabilities.ts';
import type {
  FleetRecord,
  Id,
  InstanceRecord,
  Offer,
  ReservedRecord,
  Timestamp,
} from '../../model/index.ts';
import { gangKey } from '../gang-request.ts';
import type { CapacityLedger } from '../place/capacity-ledger.ts';
import { candidateFleets, isClusterFor, newSlots, nodesNeeded } from '../place/choose-fleet.ts';
import { type Ask, whyNotGrow } from '../place/new-capacity.ts';
import { fitting } from '../place/refusals.ts';
import { givesWay } from '../place/reserved-shares.ts';
import { fleetsWithin } from '../quota/within.ts';
import type { QueuedGang } from '../rank/queue.ts';
import { earliestStart, mayServe, type PlannedStart, startOnShares } from './earliest-start.ts';

/** Capacity of one fleet that can be held for a gang. */
interface Hold {
  readonly fleet: FleetRecord;
  /** Instances with free blocks, those with the most first. */
  readonly instances: readonly InstanceRecord[];
  /** Instances that the fleet may still add. */
  readonly places: number;
  /** The offer of these. */
  readonly offer: Offer | undefined;
}

/** Stores what a gang has reserved since now; null = nothing. */
export type WriteReserved = (queued: QueuedGang, reserved: ReservedRecord | null) => void;

export class Holds {
  readonly #ledger: CapacityLedger;
  readonly #ask: Ask;
  readonly #write: WriteReserved;
  /** Fleets with a hold: only the first gang of a fleet's queue gets one. */
  readonly #taken = new Set<Id>();
  /** Fleets for which a gang waits whose start is not known: no gang behind it reserves anything there. */
  readonly #open = new Set<Id>();
  /** By fleet, the first gang that a reservation there kept from one of its own. */
  readonly #passedOver = new Map<Id, QueuedGang>();
  /** Fleets in which a reservation ended in this pass. */
  readonly #freed = new Set<Id>();
  /** Gangs with a stored reservation, by key. */
  readonly #stored = new Map<string, QueuedGang>();

  /** Puts the stored reservations of the queue in force. */
  constructor(
    ledger: CapacityLedger,
    ask: Ask,
    queue: readonly QueuedGang[],
    write: WriteReserved,
  ) {
    this.#ledger = ledger;
    this.#ask = ask;
    this.#write = write;
    for (const queued of queue) {
      if (reservedBy(queued) === null) continue;
      this.#stored.set(gangKey(queued.gang), queued);
      const start = this.#storedStart(queued);
      if (start && ledger.reserved.inFleet(start.fleet.id) === null) this.#put(queued, start, true);
    }
  }

  /** Whether the gang has a reservation in force, in which no other gang of its class has a part. */
  isHolder({ gang }: QueuedGang): boolean {
    return this.#ledger.reserved.of(gangKey(gang)) !== null;
  }

  /** The gang has got a place, and no longer needs its reservation. */
  release({ gang }: QueuedGang): void {
    const own = this.#ledger.reserved.of(gangKey(gang));
    if (own === null) return;
    this.#ledger.reserved.drop(own);
    this.#freed.add(own.fleetId);
  }

  /**
   * Where a reservation has ended, a gang that is ahead of its holder is next. It was looked at before, and
   * otherwise the gangs behind the holder would reserve one after the other.
   */
  passOn(): void {
    for (const fleetId of [...this.#freed]) {
      this.#freed.delete(fleetId);
      const isFree = this.#ledger.reserved.inFleet(fleetId) === null && !this.#taken.has(fleetId);
      const next = isFree ? this.#passedOver.get(fleetId) : undefined;
      if (next) this.keepFor(next);
    }
  }

  /** Holds all that is or becomes free on these instances for the gang, since others leave them for it. */
  holdAll(instanceIds: readonly Id[], { gang, request }: QueuedGang): void {
    const wanted = new Set(instanceIds);
    for (const fleet of candidateFleets(this.#ledger, request)) {
      for (const instance of this.#ledger.instancesOf(fleet.id)) {
        if (wanted.has(instance.id)) this.#ledger.hold(instance, gang.run);
      }
    }
  }

  /** The gang could not use its reservation now: others can. */
  giveUp(queued: QueuedGang): void {
    this.release(queued);
    if (reservedBy(queued) !== null) this.#write(queued, null);
  }

  /** Reserves capacity for a gang that waits, or holds free capacity in the fleet that lacks least. */
  keepFor(queued: QueuedGang): void {
    const stored = this.#storedStart(queued);
    this.release(queued);
    const { request } = queued;
    const candidates = candidateFleets(this.#ledger, request);
    const within = fleetsWithin(this.#ledger, request, candidates);
    const fleets = within.filter(
      (fleet) => !this.#taken.has(fleet.id) && this.#mayTake(fleet, queued),
    );
    const start = this.#startIn(fleets, stored, queued);
    if (start) this.#reserve(queued, start, stored !== null);
    else {
      if (reservedBy(queued) !== null) this.#write(queued, null);
      this.#keepOpen(fleets, queued);
      if (!this.#holdIn(fleets, queued)) this.#passOver(within, queued);
    }
  }

  #passOver(within: readonly FleetRecord[], queued: QueuedGang): void {
    for (const fleet of within) {
      if (this.#taken.has(fleet.id) || this.#passedOver.has(fleet.id)) continue;
      if (this.#mayTake(fleet, queued) || !mayServe(this.#ledger, fleet, queued.request)) continue;
      this.#passedOver.set(fleet.id, queued);
    }
  }

  /** Capacity that becomes free in these fleets goes to the gang first, if it could ever use it. */
  #keepOpen(fleets: readonly FleetRecord[], { request }: QueuedGang): void {
    if (this.#ledger.ends.isEmpty) return;
    for (const fleet of fleets) {
      if (this.#open.has(fleet.id) || !mayServe(this.#ledger, fleet, request)) continue;
      const { places } = fitting(this.#ledger, fleet, request);
      if (places >= nodesNeeded(this.#ledger, request)) this.#open.add(fleet.id);
    }
  }

  /** A reservation stays where it is, unless another place brings the start forward or leaves more idle. */
  #startIn(
    fleets: readonly FleetRecord[],
    stored: PlannedStart | null,
    { request }: QueuedGang,
  ): PlannedStart | null {
    const { windows } = this.#ledger;
    const isClosed = fleets.some((fleet) => windows.against(fleet, request) !== null);
    if (this.#ledger.ends.isEmpty && !isClosed) return null;
    const kept = stored && fleets.includes(stored.fleet) ? stored : null;
    return fleets
      .filter((fleet) => !this.#open.has(fleet.id) && mayServe(this.#ledger, fleet, request))
      .map((fleet) => earliestStart(this.#ledger, fleet, request))
      .reduce((best, one) => (one && (!best || isBetter(one, best)) ? one : best), kept);
  }

  #mayTake(fleet: FleetRecord, { request }: QueuedGang): boolean {
    const present = this.#ledger.reserved.inFleet(fleet.id);
    return present === null || givesWay(present, request);
  }

  /** `isKept`: none of the instances that it had reserved before was lost. */
  #reserve(queued: QueuedGang, start: PlannedStart, isKept: boolean): void {
    this.#takeOver(start.fleet);
    const { since, promisedAt } = this.#put(queued, start, isKept);
    const { now } = this.#ledger.ends;
    const stored = reservedBy(queued)?.startsAt ?? now;
    const startsAt = start.startsAt > now ? start.startsAt : Math.min(now, stored);
    const slipped = promisedAt < startsAt && { promisedAt };
    this.#write(queued, { since, startsAt, ...slipped, shares: start.shares });
  }

  #takeOver(fleet: FleetRecord): void {
    this.#taken.add(fleet.id);
    const present = this.#ledger.reserved.inFleet(fleet.id);
    if (present === null) return;
    this.#ledger.reserved.drop(present);
    const loser = this.#stored.get(present.key);
    if (loser) this.#write(loser, null);
  }

  #put(queued: QueuedGang, { fleet, startsAt, shares }: PlannedStart, isKept: boolean): Promised {
    const { gang, request } = queued;
    const promised = this.#promised(queued, startsAt, isKept);
    const isCleared = this.#isClearedBefore(startsAt, fleet);
    const openUntil = isCleared ? Infinity : Math.min(startsAt, latestOpen(promised));
    const key = gangKey(gang);
    const by = { ...gang.run, priority: request.priority };
    const { standing } = request;
    const isShared = this.#ledger.shares !== null;
    const when = { startsAt, openUntil };
    this.#ledger.reserved.put({ key, by, standing, isShared, fleetId: fleet.id, ...when, shares });
    this.#ledger.setApart(
      fleet.id,
      shares.map(({ instanceId }) => instanceId),
    );
    return promised;
  }

  /** All jobs that begin on the fleet now have to leave it for a window of maintenance before the start. */
  #isClearedBefore(startsAt: Timestamp, fleet: FleetRecord): boolean {
    const window = this.#ledger.windows.of(fleet);
    return window !== null && window.endsAt <= startsAt;
  }

  #promised(queued: QueuedGang, startsAt: Timestamp, isKept: boolean): Promised {
    const stored = reservedBy(queued);
    const since = stored?.since ?? this.#ledger.ends.now;
    const before = isKept && stored ? (stored.promisedAt ?? stored.startsAt) : startsAt;
    return { since, promisedAt: Math.min(before, startsAt) };
  }

  /** When the gang could start on what it has reserved; null = not there any more. */
  #storedStart(queued: QueuedGang): PlannedStart | null {
    const reserved = reservedBy(queued);
    const { request } = queued;
    const first = reserved?.shares[0]?.instanceId;
    if (!reserved || first === undefined) return null;
    const fleet = candidateFleets(this.#ledger, request).find(({ id }) =>
      this.#ledger.instancesOf(id).some((instance) => instance.id === first),
    );
    return fleet ? startOnShares(this.#ledger, fleet, request, reserved.shares) : null;
  }

  /** Whether there was anything to hold. */
  #holdIn(fleets: readonly FleetRecord[], queued: QueuedGang): boolean {
    const holds = fleets
      .map((fleet) => this.#holdOf(fleet, queued))
      .filter((hold): hold is Hold => hold !== null);
    const [first, ...others] = holds;
    if (!first) return false;
    const size = (hold: Hold): number => hold.instances.length + hold.places;
    const best = others.reduce((a, b) => (size(b) > size(a) ? b : a), first);
    const { run } = queued.gang;
    this.#takeOver(best.fleet);
    for (const instance of best.instances) this.#ledger.hold(instance, run);
    for (let i = 0; i < best.places; i++) {
      this.#ledger.holdPlace(best.fleet.id, best.offer, run);
    }
    return true;
  }

  /** Null: the fleet has nothing free for the gang, or could never hold it. */
  #holdOf(fleet: FleetRecord, { request }: QueuedGang): Hold | null {
    const ledger = this.#ledger;
    const [node] = request.nodes;
    if (!node || !isClusterFor(fleet, request)) return null;
    // Only work that ends in time can use the capacity that is free there now.
    if (ledger.windows.against(fleet, request) !== null) return null;
    const mayGrow = whyNotGrow(ledger, fleet, 1, request) === null;
    if (!ledger.hasOpen(fleet.id) && !mayGrow) return null;
    const needed = nodesNeeded(ledger, request);
    const could = fitting(ledger, fleet, request);
    const fresh = mayGrow ? newSlots(ledger, fleet, request, this.#ask) : null;
    const offer = fresh && !('none' in fresh) ? fresh[0]?.offers[0] : undefined;
    const places = offer ? this.#placesIn(fleet, needed, offer) : 0;
    if (could.places + places < needed) return null;
    const free = (one: InstanceRecord) => (one.totalBlocks ?? 0) - ledger.busyBlocks(one);
    const instances = could.instances
      .filter(({ isOpen }) => isOpen)
      .flatMap((alike) => alike.first(needed))
      .sort((a, b) => free(b) - free(a) || a.instanceNum - b.instanceNum)
      .slice(0, needed);
    const missing = Math.min(places, needed - instances.length);
    if (instances.length + missing === 0) return null;
    return { fleet, instances, places: missing, offer };
  }

  #placesIn(fleet: FleetRecord, needed: number, offer: Offer): number {
    const max = fleet.spec.configuration.nodes?.max ?? null;
    const room = max === null ? needed : Math.max(0, max - this.#ledger.activeIn(fleet.id));
    const isLocal = isServerHost(offer.backend);
    return Math.min(needed, room, isLocal ? Math.max(0, this.#ledger.localLeft(offer)) : needed);
  }
}

type Promised = Required<Pick<ReservedRecord, 'since' | 'promisedAt'>>;

/**
 * A job may take longer to its end than its `max_duration`. So that jobs which use what is reserved do not put
 * the start off again and again, they may do so for no longer than the wait that was first expected.
 */
const latestOpen = ({ since, promisedAt }: Promised): Timestamp =>
  promisedAt + Math.max(0, promisedAt - since);

const reservedBy = ({ gang }: QueuedGang): ReservedRecord | null => gang.jobs[0]?.reserved ?? null;

/** At the same start, the fewer idle instances are kept from others. */
const isBetter = (a: PlannedStart, b: PlannedStart): boolean =>
  a.startsAt === b.startsAt ? a.idle < b.idle : a.startsAt < b.startsAt;
