import type { Refusal } from '@dstack/contract/wire';
import { isServerHost } from '../capabilities/capabilities.ts';
import { sameJson } from '../compare/same.ts';
import { Draft } from '../draft/draft.ts';
import { computeGroup, groupOrder } from '../groups/index.ts';
import { isCloudCluster, masterOf } from '../instances/index.ts';
import type {
  Change,
  Decision,
  DecisionContext,
  FleetRecord,
  Id,
  Offer,
  PlacementSnapshot,
  Timestamp,
} from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { isJobWaiting } from '../status/index.ts';
import type { BackendOffers } from './backend-answers.ts';
import type { GangRequest } from './gang-request.ts';
import { assignExisting, assignNew, offersOfGroup } from './place/assign.ts';
import { CapacityLedger, demandKey } from './place/capacity-ledger.ts';
import type { FleetOption } from './place/choose-fleet.ts';
import { candidateFleets, chooseFleet } from './place/choose-fleet.ts';
import type { Claimant } from './place/claimant.ts';
import { unusableVolume } from './place/mounts.ts';
import { type Ask, triedOffers } from './place/new-capacity.ts';
import { refusalOf, undecidedUntil } from './place/refusals.ts';
import type { Lack } from './quota/quota-ledger.ts';
import { holdQuotas, lackOf, quotaRefusal } from './quota/refusal.ts';
import { shareOfSlot } from './quota/share-of-slot.ts';
import { amountsOfSlot, claimCharge, payerOf } from './quota/slots.ts';
import { oneByOne, type QueuedGang, queueOf } from './rank/queue.ts';
import { DEFAULT_PREEMPTION } from './reclaim/fleet-settings.ts';
import { Reclaim } from './reclaim/reclaim.ts';
import { Holds } from './reserve/holds.ts';

/**
 * One pass over the queue of a pool, most urgent first: each gang gets slots for all of its jobs
 * or none. A gang without a place is marked once with its refusal; the pass of its run decides
 * whether it may wait. Of gangs with equal demand only the first is examined: if it finds no place,
 * the others find none either.
 */
export function place(
  snapshot: PlacementSnapshot,
  offers: BackendOffers,
  ctx: DecisionContext,
): Decision {
  const pass = new PlacementPass(snapshot, (question) => offers.get(question.key) ?? [], ctx);
  for (const queued of pass.oneByOne()) pass.take(queued);
  pass.askToLeave();
  return pass.decision();
}

export class PlacementPass {
  /** The gangs to take, in the order in which they were before any of them got a place. */
  readonly queue: readonly QueuedGang[];
  readonly #snapshot: PlacementSnapshot;
  readonly #ctx: DecisionContext;
  readonly #ledger: CapacityLedger;
  readonly #ask: Ask;
  readonly #holds: Holds;
  readonly #draft: Draft;
  readonly #reclaim: Reclaim;
  /** The refusals of gangs that found no place, by demand. */
  readonly #refused = new Map<string, Refused>();
  readonly #runs: Change[] = [];
  /** Clusters that this pass has given a master. */
  readonly #masters = new Map<Id, Change>();
  readonly #counts = { gangs: 0, placed: 0, refused: 0 };
  /** Demand classes in which a gang found no place. */
  readonly #closed = new Set<string>();
  /** When the newest gang began to wait whose backends have to be asked again. */
  #waitingSince: Timestamp | null = null;

  constructor(snapshot: PlacementSnapshot, ask: Ask, ctx: DecisionContext) {
    this.#snapshot = snapshot;
    this.#ctx = ctx;
    this.#ledger = new CapacityLedger(snapshot, ctx.settings, ctx);
    this.#ask = ask;
    this.#reclaim = new Reclaim(
      this.#ledger,
      this.#ask,
      ctx.settings.preemption ?? DEFAULT_PREEMPTION,
      ctx.now,
    );
    this.queue = queueOf(
      snapshot,
      (request) => candidateFleets(this.#ledger, request),
      this.#ledger.shares,
    );
    const jobs = snapshot.gangs.flatMap((gang) => gang.jobs);
    const volumeRecords = snapshot.volumes?.map(({ volume }) => volume);
    // Instances are added as they are claimed: a pool may have thousands.
    this.#draft = new Draft({ jobs, volumeRecords }, ctx);
    this.#holds = new Holds(this.#ledger, this.#ask, this.queue, ({ gang }, reserved) => {
      const job = this.#draft.jobs.get(gang.jobs[0]?.id ?? '');
      if (job && !sameJson(job.reserved, reserved)) this.#draft.jobs.set(job, { reserved });
    });
  }

  /** The option of the next gang of the queue, without placing it. */
  look(queued: QueuedGang): Look {
    const { request } = queued;
    const isRefused = this.#refusedAs(queued) !== null;
    this.#ledger.lending.lookFor({ isEntitled: this.#reclaim.isWithin(queued) });
    const option = isRefused ? null : chooseFleet(this.#ledger, request, this.#ask);
    return { ledger: this.#ledger, option };
  }

  /** The gangs to take, most urgent first: the next one is chosen once the one before has been taken. */
  oneByOne(): Iterable<QueuedGang> {
    return oneByOne(this.queue, this.#ledger.shares);
  }

  /** The capacity that the gangs taken so far have left. */
  get ledger(): CapacityLedger {
    return this.#ledger;
  }

  /** Whether the gang got a place. */
  take(queued: QueuedGang): boolean {
    const isPlaced = this.#take(queued);
    this.#holds.passOn();
    return isPlaced;
  }

  #take(queued: QueuedGang): boolean {
    this.#counts.gangs += 1;
    let refused = this.#refusedAs(queued);
    if (refused === null) {
      this.#ledger.lending.lookFor({ isEntitled: this.#reclaim.isWithin(queued) });
      const option = chooseFleet(this.#ledger, queued.request, this.#ask);
      if (option) {
        this.#settle(queued, option);
        return true;
      }
      const lack = lackOf(this.#ledger, queued.request, this.#ask);
      if (lack === null && this.#isUnanswered(queued)) {
        this.#holds.keepFor(queued);
        return false;
      }
      const { limit, priority } = queued.request;
      const reason = this.#reason(queued, lack);
      refused = { limit: limit ?? Infinity, priority, reason, lack };
      this.#refused.set(demandKey(this.#ledger, queued.request), refused);
    }
    this.#refuse(queued, refused);
    return false;
  }

  /** How a gang was refused that would have had a place wherever this one has. */
  #refusedAs(queued: QueuedGang): Refused | null {
    const { request } = queued;
    const refused = this.#refused.get(demandKey(this.#ledger, request)) ?? null;
    if (refused === null || this.#ledger.reserved.isEmpty) return refused;
    // What is reserved can be used by its holder, by shorter jobs and by those of higher priority.
    const isHolder = this.#holds.isHolder(queued);
    const isWorse =
      (request.limit ?? Infinity) >= refused.limit && request.priority <= refused.priority;
    return isHolder || !isWorse ? null : refused;
  }

  #settle(queued: QueuedGang, option: FleetOption): void {
    const { gang, request } = queued;
    const { run, jobs } = gang;
    this.#holds.release(queued);
    if (this.#ledger.fleetOfRun(run) === null) {
      const set = { fleetId: option.fleet.id };
      this.#runs.push({ type: 'run.update', id: run.id, version: run.version, set });
    }
    const planned: Id[] = [];
    const groupOffers = offersOfGroup(option.slots);
    const groupId = groupOffers === null ? null : this.#ctx.newId();
    claimSlots(this.#ledger, request, run, option, (slot, index, instanceNum) => {
      const job = jobs[index];
      if (!job) return;
      if (isSharedByProjects(slot)) this.#draft.checkLocal(this.#snapshot.localState);
      this.#reclaim.placed({
        ...{ projectId: run.projectId, fleetId: option.fleet.id },
        amounts: amountsOfSlot(slot),
      });
      const charge = claimCharge(this.#ledger, run, option.fleet, slot, this.#ctx.now);
      if (slot.kind === 'existing') {
        this.#draft.instances.load(slot.instance);
        assignExisting(this.#draft, job, slot, charge, this.#ctx);
      } else {
        const where = { fleet: option.fleet, instanceNum, groupId, charge };
        planned.push(assignNew(this.#draft, job, slot, where, this.#ctx).id);
      }
    });
    this.#guard(option.fleet, planned);
    if (groupId !== null) this.#order(groupId, option.fleet, planned, groupOffers ?? []);
    this.#counts.placed += 1;
    this.#draft.signal('run', run.id);
    // Jobs that were asked to leave may stay, unless they have ended.
    for (const id of jobs[0]?.reclaim?.runs ?? []) this.#draft.signal('run', id);
  }

  /**
   * The decision is valid only while the fleet is as it was read. The first instance of a cluster
   * becomes its master at once: of several that are created at the same time, one decides the site
   * of all.
   */
  #guard(fleet: FleetRecord, [first]: readonly Id[]): void {
    if (this.#masters.has(fleet.id)) return;
    const { id, version } = fleet;
    if (!isCloudCluster(fleet)) {
      this.#draft.checkFleet(fleet);
      return;
    }
    const alive = masterOf(fleet, this.#ledger.instancesOf(id));
    const masterInstanceId = alive?.id ?? first ?? null;
    if (masterInstanceId === fleet.masterInstanceId) this.#draft.checkFleet(fleet);
    else this.#masters.set(id, { type: 'fleet.update', id, version, set: { masterInstanceId } });
  }

  /** Orders the group in which all new instances of a gang are created together. */
  #order(id: Id, fleet: FleetRecord, memberIds: readonly Id[], offers: readonly Offer[]): void {
    const projectName = this.#snapshot.projectNames[fleet.projectId] ?? '';
    const place = { id, now: this.#ctx.now, projectName };
    this.#draft.groups.insert(computeGroup(fleet, memberIds, place));
    this.#draft.announce(id, groupOrder(offers, this.#ctx.settings.maxOffersTried));
  }

  #reason({ request }: QueuedGang, lack: Lack | null): () => Refusal {
    let refusal: Refusal | null = lack && quotaRefusal(this.#ledger, request, lack);
    return () => {
      refusal ??= refusalOf(this.#ledger, request, this.#ask);
      return refusal;
    };
  }

  #refuse(queued: QueuedGang, { reason, lack }: Refused): void {
    const { jobs, run } = queued.gang;
    const [first] = jobs;
    if (!first) return;
    // What keeps one user from a place may leave enough for others with equal gangs.
    const isOfUser = lack !== null && lack.account.state.quota.userId !== null;
    if (first.demand !== null && !isOfUser) this.#closed.add(first.demand);
    if (
      first.refusal === null ||
      this.#hasLostVolume(queued) ||
      (undecidedUntil(first.refusal) !== null && undecidedUntil(reason()) === null)
    ) {
      const refusal = reason();
      for (const job of jobs) this.#draft.jobs.set(job, { refusal });
      this.#draft.signal('run', run.id);
      this.#counts.refused += 1;
    }
    // Whether a job may wait is decided after its first refusal: then it has waited since now.
    if (this.#snapshot.projects.get(run.projectId)?.hasPolledBackends) {
      const since = first.waitingSince ?? this.#ctx.now;
      this.#waitingSince = Math.max(this.#waitingSince ?? 0, since);
    }
    if (isJobWaiting(first)) this.#hold(queued, lack);
    this.#reclaim.refused(queued, lack !== null);
  }

  /** Gangs that are entitled to a place ask others to leave theirs, once all have been placed that can be. */
  askToLeave(): void {
    const { changes, runs } = this.#reclaim.requests();
    this.#runs.push(...changes);
    // A project that is guaranteed more since then must not be asked any more.
    if (changes.length > 0 && this.#snapshot.pool !== null) {
      this.#draft.checkPool(this.#snapshot.pool);
    }
    for (const id of runs) this.#draft.signal('run', id);
  }

  /** A gang that a quota keeps from its place holds what the quota leaves, and no capacity. */
  #hold(queued: QueuedGang, lack: Lack | null): void {
    const { request, gang } = queued;
    const asked = gang.jobs[0]?.reclaim?.instances ?? [];
    if (asked.length > 0) {
      this.#holds.giveUp(queued);
      this.#holds.holdAll(asked, queued);
    } else if (lack === null) this.#holds.keepFor(queued);
    else {
      this.#holds.giveUp(queued);
      this.#ledger.quotas.hold(lack);
    }
    holdQuotas(this.#ledger, request, candidateFleets(this.#ledger, request));
  }

  /** A volume of a gang that waits for capacity was deleted meanwhile. */
  #hasLostVolume({ gang, request }: QueuedGang): boolean {
    if (request.nodes.every(({ volumes }) => volumes.length === 0)) return false;
    const known = gang.jobs[0]?.refusal?.kind === 'volume';
    return !known && unusableVolume(this.#ledger, request) !== null;
  }

  /** Its fleets may be able to grow: that depends on the answers of its project's backends. */
  #isUnanswered({ gang }: QueuedGang): boolean {
    return this.#snapshot.projects.get(gang.run.projectId)?.isUnanswered === true;
  }

  decision(): Decision {
    const { more, pool } = this.#snapshot;
    if (pool !== null && this.#counts.placed > 0) {
      this.#draft.checkPool(pool);
      // Only the first gangs of a class were loaded: if all of them were placed, load the next ones.
      const goesOn = [...more].some((demand) => !this.#closed.has(demand));
      if (goesOn) this.#draft.signal('pool', pool.id);
    }
    return {
      changes: [...this.#runs, ...this.#masters.values(), ...this.#draft.changes()],
      signals: this.#draft.signals(),
      summary: { ...this.#counts, again: this.#again() },
      again: this.#again(),
    };
  }

  /**
   * Backends without signals are asked again, less often the longer the newest gang has waited. A gang that
   * does not start when it was expected to starts later: until then, others may use what it has reserved.
   */
  #again(): Timestamp | null {
    const dues = [this.#ledger.reserved.nextStart, this.#reclaim.again].filter((at) => at !== null);
    if (this.#waitingSince !== null) {
      const { now } = this.#ctx;
      const waited = (now - this.#waitingSince) / 2;
      dues.push(now + Math.min(Math.max(waited, ASK_AGAIN.least), ASK_AGAIN.most));
    }
    return dues.length === 0 ? null : Math.min(...dues);
  }
}

interface Refused {
  /** Seconds; Infinity = no `max_duration`. */
  readonly limit: number;
  readonly priority: number;
  /** Computed when first needed. */
  readonly reason: () => Refusal;
  /** The quota that is the cause; null = another cause. */
  readonly lack: Lack | null;
}

export interface Look {
  /** The capacity that gangs ahead have left. */
  readonly ledger: CapacityLedger;
  readonly option: FleetOption | null;
}

/** The shortest and longest time between two questions. */
const ASK_AGAIN = { least: 15 * SECOND, most: 300 * SECOND } as const;

type Slot = FleetOption['slots'][number];

/** The slot takes a slot or GPUs of the server host, which other projects may take as well. */
function isSharedByProjects(slot: Slot): boolean {
  if (slot.kind === 'new') return isServerHost(slot.offers[0]?.backend ?? null);
  return isServerHost(slot.offer.backend) && slot.offer.instance.resources.gpus.length > 0;
}

/** Claims the slots of an option; `each` is called with every slot and its instance number. */
export function claimSlots(
  ledger: CapacityLedger,
  { limit }: Pick<GangRequest, 'limit'>,
  run: Claimant,
  option: FleetOption,
  each: (slot: Slot, index: number, instanceNum: number) => void = () => {},
): void {
  ledger.setFleetOfRun(run.id, option.fleet.id);
  for (const [index, slot] of option.slots.entries()) {
    const instance = slot.kind === 'existing' ? slot.instance : null;
    if (ledger.quotas.concerns(run)) {
      ledger.quotas.claim(payerOf({ run }, option.fleet), amountsOfSlot(slot));
    }
    if (ledger.shares) ledger.shares.claim(run, shareOfSlot(ledger.shares, slot).rate);
    ledger.volumes.claim(slot.volumes, instance?.id ?? null);
    if (slot.kind === 'existing') {
      ledger.claim(slot.instance, slot.blocks, run, limit);
      each(slot, index, slot.instance.instanceNum);
    } else {
      const [offer] = triedOffers(slot.offers);
      each(slot, index, ledger.addInstance(option.fleet.id, offer, run));
    }
  }
}
