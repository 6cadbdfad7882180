/**
 * Stage 4: the capacity that a pass keeps for gangs that have to wait (EASY backfill). Without it,
 * smaller gangs could take the capacity that a large one needs at once, again and again; they may
 * only use what it cannot.
 */
import type { FleetRecord, Id, InstanceRecord } from '../../model/index.ts';
import { isServerHost } from '../../offers/capabilities.ts';
import type { CapacityLedger } from '../place/capacity-ledger.ts';
import { candidateFleets, isClusterFor, newSlots, nodesNeeded } from '../place/choose-fleet.ts';
import { type Ask, whyNotGrow } from '../place/new-capacity.ts';
import { fitting } from '../place/refusals.ts';
import type { QueuedGang } from '../rank/queue.ts';

/** Capacity of one fleet that can be held for a gang. */
interface Hold {
  readonly fleet: FleetRecord;
  /** Instances with free blocks, those with the most first. */
  readonly instances: readonly InstanceRecord[];
  /** Instances that the fleet may still add. */
  readonly places: number;
  readonly isLocal: boolean;
}

export class Holds {
  readonly #ledger: CapacityLedger;
  readonly #ask: Ask;
  /** Fleets with a hold: only the first gang of a fleet's queue gets one. */
  readonly #taken = new Set<Id>();

  constructor(ledger: CapacityLedger, ask: Ask) {
    this.#ledger = ledger;
    this.#ask = ask;
  }

  /** Holds free capacity in the fleet that lacks least for the gang. */
  keepFor(queued: QueuedGang): void {
    const holds = candidateFleets(this.#ledger, queued.request)
      .filter((fleet) => !this.#taken.has(fleet.id))
      .map((fleet) => this.#holdIn(fleet, queued))
      .filter((hold): hold is Hold => hold !== null);
    const [first, ...others] = holds;
    if (!first) return;
    const size = (hold: Hold): number => hold.instances.length + hold.places;
    const best = others.reduce((a, b) => (size(b) > size(a) ? b : a), first);
    const { run } = queued.gang;
    this.#taken.add(best.fleet.id);
    for (const instance of best.instances) this.#ledger.hold(instance, run);
    for (let i = 0; i < best.places; i++) {
      this.#ledger.holdPlace(best.fleet.id, best.isLocal, run);
    }
  }

  /** Null: the fleet has nothing free for the gang, or could never hold it. */
  #holdIn(fleet: FleetRecord, { request }: QueuedGang): Hold | null {
    const ledger = this.#ledger;
    const [node] = request.nodes;
    if (!node || !isClusterFor(fleet, request)) return null;
    const mayGrow = whyNotGrow(ledger, fleet, 1, request) === null;
    if (!ledger.hasOpen(fleet.id) && !mayGrow) return null;
    const needed = nodesNeeded(ledger, request);
    const could = fitting(ledger, fleet, request);
    const fresh = mayGrow ? newSlots(ledger, fleet, request, this.#ask) : null;
    const offer = fresh && !('none' in fresh) ? fresh[0]?.offers[0] : undefined;
    const places = offer ? this.#placesIn(fleet, needed, isServerHost(offer.backend)) : 0;
    if (could.places + places < needed) return null;
    const open = new Set(ledger.openIn(fleet.id));
    const free = (one: InstanceRecord) => (one.totalBlocks ?? 0) - ledger.busyBlocks(one);
    const instances = could.instances
      .filter((one) => open.has(one))
      .sort((a, b) => free(b) - free(a) || a.instanceNum - b.instanceNum)
      .slice(0, needed);
    const missing = Math.min(places, needed - instances.length);
    if (instances.length + missing === 0) return null;
    return { fleet, instances, places: missing, isLocal: isServerHost(offer?.backend ?? null) };
  }

  #placesIn(fleet: FleetRecord, needed: number, isLocal: boolean): number {
    const max = fleet.spec.configuration.nodes?.max ?? null;
    const room = max === null ? needed : Math.max(0, max - this.#ledger.activeIn(fleet.id));
    return Math.min(needed, room, isLocal ? Math.max(0, this.#ledger.localLeft) : needed);
  }
}
