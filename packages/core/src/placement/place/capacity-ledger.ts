import type { Profile, Requirements } from '@dstack/contract/wire';
import { isServerHost } from '../../capabilities/capabilities.ts';
import { isCloudCluster } from '../../instances/index.ts';
import { FleetWindows } from '../../maintenance/index.ts';
import type {
  CapacitySnapshot,
  EngineSettings,
  FleetRecord,
  Id,
  InstanceRecord,
  Offer,
  Timestamp,
} from '../../model/index.ts';
import { sharesFor } from '../../offers/alike.ts';
import type { DecisionMoment } from '../../offers/findings.ts';
import { serverHostGpus, serverHostMeets } from '../../offers/local-gpus.ts';
import { localHostOf } from '../../offers/local-limits.ts';
import type { ShareMatch } from '../../offers/pool.ts';
import { ShareLedger } from '../../shares/share-ledger.ts';
import { isFleetActive } from '../../status/index.ts';
import type { GangRequest, NodeRequest } from '../gang-request.ts';
import { Lending } from '../quota/lending.ts';
import { QuotaLedger } from '../quota/quota-ledger.ts';
import type { Claimant } from './claimant.ts';
import { type AlikeNow, FleetCapacity } from './fleet-capacity.ts';
import { fleetIndexes } from './kept-capacity.ts';
import { KnownEnds } from './known-ends.ts';
import { LocalLedger } from './local-ledger.ts';
import { ReservedShares } from './reserved-shares.ts';
import { VolumeLedger } from './volume-ledger.ts';

type Shares = ReturnType<typeof sharesFor>;

/** In a plan, an instance whose connection was lost moments ago counts as lost. */
export const PLANNED: DecisionMoment = { now: Number.POSITIVE_INFINITY };

/** `at`: the present time, where `now` is another; windows of maintenance are looked up for it. */
export type LedgerMoment = DecisionMoment & { readonly at?: Timestamp };

/**
 * The capacity that a pass can still assign: the snapshot less the pass's own *claims* (given to a
 * gang) and *holds* (reserved for a gang ahead in the queue). Only these change it, so no capacity
 * is promised twice.
 */
export class CapacityLedger {
  readonly snapshot: CapacitySnapshot;
  readonly fleets: readonly FleetRecord[];
  readonly localMaxInstances: number;
  readonly moment: LedgerMoment;
  readonly windows: FleetWindows;
  readonly volumes: VolumeLedger;
  readonly ends: KnownEnds;
  readonly reserved: ReservedShares;
  readonly quotas: QuotaLedger;
  readonly lending = new Lending();
  /** Null: the pool is not shared by weight. */
  readonly shares: ShareLedger | null;
  readonly #fleets: ReadonlyMap<Id, FleetCapacity>;
  readonly #held = new Map<Id, Claimant>();
  /** Claimants in this pass: by instance, and by fleet for new instances and held places. */
  readonly #takers = new Map<Id, Claimant[]>();
  readonly #growers = new Map<Id, Claimant[]>();
  readonly #runFleets = new Map<Id, Id>();
  readonly #shares = new Map<NodeRequest, Map<Profile, Shares>>();
  #withWindows: readonly FleetRecord[] | null = null;
  readonly #local: LocalLedger;

  constructor(
    snapshot: CapacitySnapshot,
    settings: Pick<EngineSettings, 'localMaxInstances'>,
    moment: LedgerMoment = PLANNED,
  ) {
    this.snapshot = snapshot;
    this.moment = moment;
    this.fleets = snapshot.fleets.filter((fleet) => isFleetActive(fleet.status) && !fleet.deleted);
    this.localMaxInstances = settings.localMaxInstances;
    this.volumes = new VolumeLedger(snapshot.volumes);
    this.windows = new FleetWindows(moment.at ?? moment.now);
    this.quotas = new QuotaLedger(snapshot.quotas ?? []);
    const { shares, quotas = [] } = snapshot;
    this.shares = shares ? new ShareLedger(shares, quotas) : null;
    this.#local = new LocalLedger(snapshot.serverHosts);
    const indexes = fleetIndexes(this.fleets, snapshot.instances);
    this.#fleets = new Map(indexes.map((index) => [index.fleet.id, new FleetCapacity(index)]));
    this.ends = new KnownEnds(snapshot.occupants ?? [], moment.now, this.#clearedAt());
    this.reserved = new ReservedShares(this.ends);
  }

  /** By instance, when the jobs that are there now have to leave it; it is empty without windows. */
  #clearedAt(): ReadonlyMap<Id, Timestamp> {
    const times = new Map<Id, Timestamp>();
    for (const { index } of this.#fleets.values()) {
      const startsAt = this.windows.of(index.fleet)?.startsAt;
      if (startsAt === undefined) continue;
      for (const { id } of index.instances) times.set(id, startsAt);
    }
    return times;
  }

  /**
   * The fleets that windows of maintenance keep from the gang now; empty where there are none. Before a window, a fleet
   * may be closed to what ends within it, and open to what ends before, or at a time that is not known.
   */
  closedTo(request: Pick<GangRequest, 'lasts'>): string {
    this.#withWindows ??= this.fleets.filter((fleet) => this.windows.of(fleet) !== null);
    const closed = this.#withWindows.filter((fleet) => this.windows.against(fleet, request));
    return closed.map(({ id }) => ` ${id}`).join('');
  }

  instancesOf(fleetId: Id): readonly InstanceRecord[] {
    return this.#fleets.get(fleetId)?.index.instances ?? [];
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

  /** The instances of a fleet, those together that are alike. */
  alikeIn(fleetId: Id): Iterable<AlikeNow> {
    return this.#fleets.get(fleetId)?.alike() ?? [];
  }

  /** Whether some instance could take at least one block now. */
  hasOpen(fleetId: Id): boolean {
    return (this.#fleets.get(fleetId)?.open ?? 0) > 0;
  }

  /** The free blocks of the instances that could take some. */
  freeBlocksIn(fleetId: Id): number {
    return this.#fleets.get(fleetId)?.freeBlocks ?? 0;
  }

  busyBlocks(instance: InstanceRecord): number {
    return this.#fleets.get(instance.fleetId)?.busyBlocks(instance) ?? instance.busyBlocks;
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
    this.#fleets.get(instance.fleetId)?.claim(instance, blocks);
    this.#local.claim(instance, before, before + blocks);
  }

  /** Holds the free blocks of an instance for a gang that is ahead. */
  hold(instance: InstanceRecord, by: Claimant): void {
    this.#held.set(instance.id, by);
    this.#fleets.get(instance.fleetId)?.hold(instance);
  }

  /** Treats no other instance of the fleet as equal to these: their room depends on the gang. */
  setApart(fleetId: Id, instanceIds: readonly Id[]): void {
    this.#fleets.get(fleetId)?.setApart(new Set(instanceIds));
  }

  /** From now on, what is held and reserved is free for all. */
  dropHolds(): void {
    this.#held.clear();
    this.reserved.clear();
  }

  isHeld(instance: InstanceRecord): boolean {
    return this.#held.has(instance.id);
  }

  /** Runs ahead that claim blocks of the instance in this pass. */
  claimersOf({ id }: InstanceRecord): readonly Claimant[] {
    return this.#takers.get(id) ?? [];
  }

  /** Those, and the run for which it is held. */
  takersOf(instance: InstanceRecord): readonly Claimant[] {
    const holder = this.#held.get(instance.id) ?? this.reserved.holderOf(instance.id);
    return [...this.claimersOf(instance), ...(holder ? [holder] : [])];
  }

  /** Runs ahead for which this pass adds an instance to the fleet, or holds a place. */
  growersOf(fleetId: Id): readonly Claimant[] {
    return this.#growers.get(fleetId) ?? [];
  }

  /** Holds a place for a new instance of the fleet, for a gang that is ahead. */
  holdPlace(fleetId: Id, offer: Offer | undefined, by: Claimant): void {
    append(this.#growers, fleetId, by);
    this.#fleets.get(fleetId)?.addPlace();
    if (offer) this.#local.holdPlace(offer);
  }

  /** Instances that count against `nodes.max`, including those added by this pass. */
  activeIn(fleetId: Id): number {
    return this.#fleets.get(fleetId)?.active ?? 0;
  }

  /** Instances of the fleet that have a job or are being created for one. */
  occupiedIn(fleetId: Id): number {
    return this.#fleets.get(fleetId)?.occupied ?? 0;
  }

  /** Instances that may still be created on the server's machine of the offer, in all projects together. */
  localLeft(offer: Offer): number {
    return this.localMaxInstances - this.#local.instancesOn(offer);
  }

  /** The machines of other servers that are alive, whose passes may have room for what this one refuses. */
  otherServerHosts(offer: Offer): number {
    const own = localHostOf({ offer });
    return this.snapshot.serverHosts.filter((one) => one.isAlive && one.hostId !== own).length;
  }

  /** The machines of other servers that are alive and meet what that of this one does not. */
  otherServerHostsFor(requirements: Requirements, projectId: Id): number {
    // A server that may not use its own for the project supposes the same of the others.
    if (this.snapshot.projects.get(projectId)?.hasServerHost !== true) return 0;
    return this.snapshot.serverHosts.filter(
      ({ isAlive, facts }) => isAlive && facts && serverHostMeets(requirements, facts),
    ).length;
  }

  /**
   * Whether the first instance of a cluster, which decides the site of the others, is not created
   * yet. Until then the cluster does not grow for any other gang.
   */
  isUndecided(fleet: FleetRecord): boolean {
    return isCloudCluster(fleet) && this.#fleets.get(fleet.id)?.isFirstStarting === true;
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
    return this.#local.gpusOn(offer) + wanted <= serverHostGpus(offer);
  }

  /**
   * Counts a new instance and returns the lowest free number of its fleet. `offer`: the first one
   * that is tried; on the server host it is the only one.
   */
  addInstance(fleetId: Id, offer: Offer | undefined, by: Claimant): number {
    append(this.#growers, fleetId, by);
    this.#fleets.get(fleetId)?.addPlace();
    if (offer) this.#local.add(offer);
    return this.#fleets.get(fleetId)?.takeNumber() ?? 0;
  }

  /** The fleet of a run, once one of its gangs has been placed in this pass or before. */
  fleetOfRun(run: { readonly id: Id; readonly fleetId: Id | null }): Id | null {
    return run.fleetId ?? this.#runFleets.get(run.id) ?? null;
  }

  setFleetOfRun(runId: Id, fleetId: Id): void {
    this.#runFleets.set(runId, fleetId);
  }
}

/** Gangs with equal keys either all have a place at a given moment of the pass, or none has. */
export function demandKey(ledger: CapacityLedger, request: GangRequest): string {
  const { run, kind } = request;
  const user = ledger.quotas.hasUsers(run.projectId) ? ` ${run.userId ?? ''}` : '';
  return `${ledger.fleetOfRun(run) ?? ''}${user}${ledger.closedTo(request)} ${kind}`;
}

function append(lists: Map<Id, Claimant[]>, key: Id, by: Claimant): void {
  const known = lists.get(key);
  if (known) known.push(by);
  else lists.set(key, [by]);
}
