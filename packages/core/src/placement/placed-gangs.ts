/** The gangs of a pass that have a place, as changes of their records. */
import { isServerHost } from '../capabilities/capabilities.ts';
import type { Draft } from '../draft/draft.ts';
import { computeGroup, groupOrder } from '../groups/index.ts';
import { isCloudCluster, masterOf } from '../instances/index.ts';
import {
  type Change,
  type DecisionContext,
  type FleetRecord,
  type Id,
  type Offer,
  type PlacementSnapshot,
  type ServerHostUse,
  UNUSED_SERVER_HOST,
} from '../model/index.ts';
import { localHostOf } from '../offers/local-limits.ts';
import { claimSlots } from './claim-slots.ts';
import { assignExisting, assignNew, offersOfGroup } from './place/assign.ts';
import type { CapacityLedger } from './place/capacity-ledger.ts';
import type { FleetOption, Slot } from './place/fleet-option.ts';
import { claimCharge } from './quota/slots.ts';
import type { QueuedGang } from './rank/queue.ts';

export interface PlacedGangsParts {
  readonly snapshot: PlacementSnapshot;
  readonly ledger: CapacityLedger;
  readonly draft: Draft;
  readonly ctx: DecisionContext;
  /** Called with each slot that a gang gets. */
  readonly onSlot: (queued: QueuedGang, fleet: FleetRecord, slot: Slot) => void;
}

export class PlacedGangs {
  readonly #parts: PlacedGangsParts;
  readonly #runs: Change[] = [];
  /** Clusters that this pass has given a master. */
  readonly #masters = new Map<Id, Change>();
  #count = 0;

  constructor(parts: PlacedGangsParts) {
    this.#parts = parts;
  }

  get count(): number {
    return this.#count;
  }

  /** Changes of records that the draft does not hold: runs and fleets. */
  changes(): readonly Change[] {
    return [...this.#runs, ...this.#masters.values()];
  }

  /** Gives the jobs of the gang the slots of the option. */
  put(queued: QueuedGang, option: FleetOption): void {
    const { ledger, draft, ctx, snapshot, onSlot } = this.#parts;
    const { gang, request } = queued;
    const { run, jobs } = gang;
    if (ledger.fleetOfRun(run) === null) {
      const set = { fleetId: option.fleet.id };
      this.#runs.push({ type: 'run.update', id: run.id, version: run.version, set });
    }
    const planned: Id[] = [];
    const groupOffers = offersOfGroup(option.slots);
    const groupId = groupOffers === null ? null : ctx.newId();
    claimSlots(ledger, request, run, option, (slot, index, instanceNum) => {
      const job = jobs[index];
      if (!job) return;
      const local = localOfferOf(slot);
      if (local !== null) draft.checkLocal(serverHostOf(snapshot, local));
      onSlot(queued, option.fleet, slot);
      const charge = claimCharge(ledger, run, option.fleet, slot, ctx.now);
      if (slot.kind === 'existing') {
        draft.instances.load(slot.instance);
        assignExisting(draft, job, slot, charge, ctx);
      } else {
        const where = { fleet: option.fleet, instanceNum, groupId, charge };
        planned.push(assignNew(draft, job, slot, where, ctx).id);
      }
    });
    this.#guard(option.fleet, planned);
    if (groupId !== null) this.#order(groupId, option.fleet, planned, groupOffers ?? []);
    this.#count += 1;
    draft.signal('run', run.id);
    // Jobs that were asked to leave may stay, unless they have ended.
    for (const id of jobs[0]?.reclaim?.runs ?? []) draft.signal('run', id);
  }

  /**
   * The decision is valid only while the fleet is as it was read. The first instance of a cluster
   * becomes its master at once: of several that are created at the same time, one decides the site
   * of all.
   */
  #guard(fleet: FleetRecord, [first]: readonly Id[]): void {
    const { ledger, draft } = this.#parts;
    if (this.#masters.has(fleet.id)) return;
    const { id, version } = fleet;
    if (!isCloudCluster(fleet)) {
      draft.checkFleet(fleet);
      return;
    }
    const alive = masterOf(fleet, ledger.instancesOf(id));
    const masterInstanceId = alive?.id ?? first ?? null;
    if (masterInstanceId === fleet.masterInstanceId) draft.checkFleet(fleet);
    else this.#masters.set(id, { type: 'fleet.update', id, version, set: { masterInstanceId } });
  }

  /** Orders the group in which all new instances of a gang are created together. */
  #order(id: Id, fleet: FleetRecord, memberIds: readonly Id[], offers: readonly Offer[]): void {
    const { snapshot, draft, ctx } = this.#parts;
    const projectName = snapshot.projectNames[fleet.projectId] ?? '';
    const place = { id, now: ctx.now, projectName };
    draft.groups.insert(computeGroup(fleet, memberIds, place));
    draft.announce(id, groupOrder(offers, ctx.settings.maxOffersTried));
  }
}

/** Null unless the slot takes a slot or GPUs of a server's machine, which other projects may take as well. */
function localOfferOf(slot: Slot): Offer | null {
  const offer = slot.kind === 'new' ? slot.offers[0] : slot.offer;
  if (!offer || !isServerHost(offer.backend)) return null;
  return slot.kind === 'new' || offer.instance.resources.gpus.length > 0 ? offer : null;
}

/** The machine as it was read. */
function serverHostOf(
  { serverHosts }: PlacementSnapshot,
  offer: Offer,
): Pick<ServerHostUse, 'hostId' | 'state'> {
  const hostId = localHostOf({ offer });
  return serverHosts.find((one) => one.hostId === hostId) ?? { hostId, state: UNUSED_SERVER_HOST };
}
