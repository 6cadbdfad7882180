import type { Profile } from '@dstack/contract/wire';
import { fleetMatcher, isCloudCluster, isInstanceCreated } from '../../instances/index.ts';
import type {
  CapacitySnapshot,
  EngineSettings,
  FleetRecord,
  Id,
  InstanceRecord,
  Offer,
  RunRecord,
} from '../../model/index.ts';
import { likenessOf, PerLikeness, sharesFor } from '../../offers/alike.ts';
import { isServerHost } from '../../offers/capabilities.ts';
import type { DecisionMoment } from '../../offers/findings.ts';
import { heldLocalGpus, serverHostGpus } from '../../offers/local-gpus.ts';
import { isUsable, type ShareMatch } from '../../offers/pool.ts';
import { isFleetActive, isInstanceActive, isInstanceAvailable } from '../../status/index.ts';
import type { GangRequest, NodeRequest } from '../gang-request.ts';
import { KnownEnds } from './known-ends.ts';
import { ReservedShares } from './reserved-shares.ts';
import { VolumeLedger } from './volume-ledger.ts';

type Shares = ReturnType<typeof sharesFor>;

/** A run that claims capacity, or for which capacity is held. */
export type Claimant = Pick<RunRecord, 'id' | 'name' | 'projectId' | 'priority' | 'submittedAt'>;

/** In a plan, an instance whose connection was lost moments ago counts as lost. */
const PLANNED: DecisionMoment = { now: Number.POSITIVE_INFINITY, jumpedAt: null };

/**
 * The capacity that a pass can still assign: the snapshot less the pass's own *claims* (given to a
 * gang) and *holds* (reserved for a gang ahead in the queue). Only these change it, so no capacity
 * is promised twice.
 */
export class CapacityLedger {
  readonly snapshot: CapacitySnapshot;
  readonly fleets: readonly FleetRecord[];
  readonly localMaxInstances: number;
  readonly moment: DecisionMoment;
  readonly volumes: VolumeLedger;
  readonly ends: KnownEnds;
  readonly reserved: ReservedShares;
  readonly #instances = new Map<Id, InstanceRecord[]>();
  readonly #kinds = new Map<Id, readonly InstanceRecord[]>();
  readonly #busy = new Map<Id, number>();
  readonly #held = new Map<Id, Claimant>();
  /** Claimants in this pass: by instance, and by fleet for new instances and held places. */
  readonly #takers = new Map<Id, Claimant[]>();
  readonly #growers = new Map<Id, Claimant[]>();
  readonly #open = new Map<Id, Set<InstanceRecord>>();
  readonly #active = new Map<Id, number>();
  readonly #occupied = new Map<Id, number>();
  readonly #numbers = new Map<Id, Set<number>>();
  readonly #runFleets = new Map<Id, Id>();
  readonly #shares = new Map<NodeRequest, Map<Profile, Shares>>();
  /** Clusters that have machines, and clusters without machines whose first instance is planned. */
  readonly #sited = new Set<Id>();
  readonly #starting = new Set<Id>();
  #localLeft: number;
  #localGpusHeld = 0;

  constructor(
    snapshot: CapacitySnapshot,
    settings: Pick<EngineSettings, 'localMaxInstances'>,
    moment: DecisionMoment = PLANNED,
  ) {
    this.snapshot = snapshot;
    this.moment = moment;
    this.fleets = snapshot.fleets.filter((fleet) => isFleetActive(fleet.status) && !fleet.deleted);
    this.localMaxInstances = settings.localMaxInstances;
    this.volumes = new VolumeLedger(snapshot.volumes);
    this.ends = new KnownEnds(snapshot.occupants ?? [], moment.now);
    this.reserved = new ReservedShares(this.ends);
    this.#localLeft = settings.localMaxInstances - snapshot.localInstances;
    for (const use of snapshot.localBusy) this.#localGpusHeld += heldLocalGpus(use);
    const fits = new Map<Id, PerLikeness<boolean>>();
    for (const fleet of this.fleets) {
      this.#instances.set(fleet.id, []);
      this.#open.set(fleet.id, new Set());
      fits.set(fleet.id, new PerLikeness(fleetMatcher(fleet)));
    }
    for (const instance of snapshot.instances) {
      this.#instances.get(instance.fleetId)?.push(instance);
      // An instance that no longer fits its fleet's spec gets no further jobs.
      if (this.#hasRoom(instance) && fits.get(instance.fleetId)?.of(instance)) {
        this.#open.get(instance.fleetId)?.add(instance);
      }
      if (!isInstanceActive(instance.status)) continue;
      count(this.#active, instance.fleetId);
      (isInstanceCreated(instance) ? this.#sited : this.#starting).add(instance.fleetId);
      if (instance.busyBlocks > 0 || instance.provisioningData === null) {
        count(this.#occupied, instance.fleetId);
      }
    }
  }

  instancesOf(fleetId: Id): readonly InstanceRecord[] {
    return this.#instances.get(fleetId) ?? [];
  }

  /** Instances of the fleet, one of each machine. */
  kindsIn(fleetId: Id): readonly InstanceRecord[] {
    const known = this.#kinds.get(fleetId);
    if (known) return known;
    const each = new Map(this.instancesOf(fleetId).map((one) => [likenessOf(one) ?? one, one]));
    const kinds = [...each.values()];
    this.#kinds.set(fleetId, kinds);
    return kinds;
  }

  /** The share of an instance that a node would get; null if it can never take the node. */
  shareFor(
    instance: InstanceRecord,
    node: NodeRequest,
    { profile }: GangRequest,
  ): ShareMatch | null {
    let shares = this.#shares.get(node)?.get(profile);
    if (!shares) {
      shares = sharesFor({ requirements: node.requirements, needs: node.needs, profile });
      const known = this.#shares.get(node) ?? new Map<Profile, Shares>();
      this.#shares.set(node, known.set(profile, shares));
    }
    return shares.of(instance);
  }

  /** Instances that could take at least one block now. */
  openIn(fleetId: Id): Iterable<InstanceRecord> {
    return this.#open.get(fleetId) ?? [];
  }

  hasOpen(fleetId: Id): boolean {
    return (this.#open.get(fleetId)?.size ?? 0) > 0;
  }

  busyBlocks(instance: InstanceRecord): number {
    return this.#busy.get(instance.id) ?? instance.busyBlocks;
  }

  /** The blocks that the gang cannot use: beside those in use, some are reserved for others. */
  busyFor(instance: InstanceRecord, request: GangRequest): number {
    const busy = this.busyBlocks(instance);
    return this.reserved.isEmpty ? busy : this.reserved.busyFor(instance, busy, request);
  }

  /** `seconds`: how long the blocks are in use at most; null = unknown. */
  claim(instance: InstanceRecord, blocks: number, by: Claimant, seconds: number | null): void {
    append(this.#takers, instance.id, by);
    this.ends.occupy(instance.id, blocks, seconds);
    const before = this.busyBlocks(instance);
    if (before === 0) count(this.#occupied, instance.fleetId);
    const busyBlocks = before + blocks;
    this.#busy.set(instance.id, busyBlocks);
    this.#localGpusHeld +=
      heldLocalGpus({ ...instance, busyBlocks }) -
      heldLocalGpus({ ...instance, busyBlocks: before });
    if (!this.#hasRoom(instance)) this.#open.get(instance.fleetId)?.delete(instance);
  }

  /** Holds the free blocks of an instance for a gang that is ahead. */
  hold(instance: InstanceRecord, by: Claimant): void {
    if (this.busyBlocks(instance) === 0) count(this.#occupied, instance.fleetId);
    this.#held.set(instance.id, by);
    this.#open.get(instance.fleetId)?.delete(instance);
  }

  isHeld(instance: InstanceRecord): boolean {
    return this.#held.has(instance.id);
  }

  /** Runs ahead that claim blocks of the instance in this pass, or for which it is held. */
  takersOf(instance: InstanceRecord): readonly Claimant[] {
    const holder = this.#held.get(instance.id) ?? this.reserved.holderOf(instance.id);
    return [...(this.#takers.get(instance.id) ?? []), ...(holder ? [holder] : [])];
  }

  /** Runs ahead for which this pass adds an instance to the fleet, or holds a place. */
  growersOf(fleetId: Id): readonly Claimant[] {
    return this.#growers.get(fleetId) ?? [];
  }

  /** Holds a place for a new instance of the fleet, for a gang that is ahead. */
  holdPlace(fleetId: Id, isLocal: boolean, by: Claimant): void {
    append(this.#growers, fleetId, by);
    count(this.#active, fleetId);
    count(this.#occupied, fleetId);
    if (isLocal) this.#localLeft -= 1;
  }

  /** Instances that count against `nodes.max`, including those added by this pass. */
  activeIn(fleetId: Id): number {
    return this.#active.get(fleetId) ?? 0;
  }

  /** Instances of the fleet that have a job or are being created for one. */
  occupiedIn(fleetId: Id): number {
    return this.#occupied.get(fleetId) ?? 0;
  }

  /** Instances of the `local` backend that may still be created, in all projects together. */
  get localLeft(): number {
    return this.#localLeft;
  }

  /**
   * Whether the first instance of a cluster, which decides the site of the others, is not created
   * yet. Until then the cluster does not grow for any other gang.
   */
  isUndecided(fleet: FleetRecord): boolean {
    return isCloudCluster(fleet) && this.#starting.has(fleet.id) && !this.#sited.has(fleet.id);
  }

  /** Whether the project may use the fleet; a project that the snapshot does not know may use none. */
  mayUse(projectId: Id, fleetId: Id): boolean {
    return this.snapshot.projects.get(projectId)?.fleets.has(fleetId) === true;
  }

  /** Whether this server can create instances in the offer's backend for the project. */
  createsInstances({ backend }: Offer, projectId: Id): boolean {
    return this.snapshot.projects.get(projectId)?.offersOnly.has(backend) !== true;
  }

  /** Whether the GPUs of an offer are free. Only instances on the server host share GPUs. */
  hasGpusFor(offer: Offer): boolean {
    const wanted = offer.instance.resources.gpus.length;
    if (!isServerHost(offer.backend) || wanted === 0) return true;
    return this.#localGpusHeld + wanted <= serverHostGpus(offer);
  }

  /**
   * Counts a new instance and returns the lowest free number of its fleet. `offer`: the first one
   * that is tried; on the server host it is the only one.
   */
  addInstance(fleetId: Id, offer: Offer | undefined, by: Claimant): number {
    append(this.#growers, fleetId, by);
    count(this.#active, fleetId);
    count(this.#occupied, fleetId);
    this.#starting.add(fleetId);
    if (offer && isServerHost(offer.backend)) {
      this.#localLeft -= 1;
      const { backend, blocks: busyBlocks, total_blocks: totalBlocks } = offer;
      this.#localGpusHeld += heldLocalGpus({ backend, offer, totalBlocks, busyBlocks });
    }
    const numbers = this.#numbersOf(fleetId);
    let num = 0;
    while (numbers.has(num)) num += 1;
    numbers.add(num);
    return num;
  }

  /** The fleet of a run, once one of its gangs has been placed in this pass or before. */
  fleetOfRun(run: { readonly id: Id; readonly fleetId: Id | null }): Id | null {
    return run.fleetId ?? this.#runFleets.get(run.id) ?? null;
  }

  setFleetOfRun(runId: Id, fleetId: Id): void {
    this.#runFleets.set(runId, fleetId);
  }

  #hasRoom(instance: InstanceRecord): boolean {
    if (!isUsable(instance) || instance.provisioningData === null) return false;
    if (!isInstanceAvailable(instance.status)) return false;
    return this.busyBlocks(instance) < (instance.totalBlocks ?? 0);
  }

  #numbersOf(fleetId: Id): Set<number> {
    const known = this.#numbers.get(fleetId);
    if (known) return known;
    const numbers = new Set(this.instancesOf(fleetId).map((one) => one.instanceNum));
    this.#numbers.set(fleetId, numbers);
    return numbers;
  }
}

/** Gangs with equal keys either all have a place at a given moment of the pass, or none has. */
export function demandKey(ledger: CapacityLedger, request: GangRequest): string {
  return `${ledger.fleetOfRun(request.run) ?? ''} ${request.kind}`;
}

function append(lists: Map<Id, Claimant[]>, key: Id, by: Claimant): void {
  const known = lists.get(key);
  if (known) known.push(by);
  else lists.set(key, [by]);
}

function count(counts: Map<Id, number>, key: Id): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
