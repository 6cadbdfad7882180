import type {
  BlockHolder,
  CapacityHints,
  CapacitySnapshot,
  Change,
  Decision,
  DependencyRecord,
  ExplainedRun,
  FleetRecord,
  FleetSnapshot,
  FreedCapacity,
  GatewayRecord,
  GatewaySnapshot,
  GroupSnapshot,
  Id,
  InstanceRecord,
  InstanceSnapshot,
  IntentPayload,
  IntentRecord,
  IntentResult,
  JobRecord,
  NamedRun,
  NewEvent,
  Occupant,
  RunMemory,
  RunRecord,
  RunSnapshot,
  Signal,
  Timestamp,
  VolumeSnapshot,
  WaitingPool,
  WorkKind,
} from '@dstack/core';
import type { ArrayRun, NewArray } from '../arrays/array-rows.ts';
import type { NameChoice, WriteExtras } from '../base/writes.ts';
import type { NamedKind } from '../context/choose-name.ts';
import type { ServiceBeside } from '../services/types.ts';

/** The decision of a write of the API about the row that it has locked; null = nothing to do. */
export type Decide<S> = (
  snapshot: S,
) => (Pick<Decision, 'changes'> & Partial<Pick<Decision, 'signals'>>) | null;

/** The writes of the API to a run are decided on the run alone. */
export type BareRun = Pick<RunSnapshot, 'run'>;

/** All rows of a new run that depend on its final name. */
export interface NewRun extends WriteExtras {
  readonly run: RunRecord;
  readonly jobs: readonly JobRecord[];
  /** The runs that it waits for; none by default. */
  readonly dependencies?: readonly DependencyRecord[];
  /** If it is the run of an array. */
  readonly array?: NewArray;
}

/** A gateway that a service is about to use. It does not change until the service is stored. */
export interface GatewayGuard {
  readonly id: Id;
  /** Whether the service takes a host name that others may ask for at the same moment. */
  readonly isExclusive?: boolean;
  /**
   * Called inside the transaction with the unfinished services behind the gateway, oldest first; throws
   * to refuse it. Null: the gateway does not exist.
   */
  readonly accept: (gateway: GatewayRecord | null, beside: readonly ServiceBeside[]) => void;
}

/** A gateway, and the services that lose their address with it. */
export interface GatewayUse extends GatewaySnapshot {
  /** The services of all projects, oldest first. */
  readonly services: readonly NamedRun[];
  readonly projectNames: Readonly<Record<Id, string>>;
}

export interface SubmitRun {
  readonly projectId: Id;
  readonly name: NameChoice;
  /** The gateway of a service that is behind one. */
  readonly gateway?: GatewayGuard | null;
  /** The limit of one user's waiting runs, in all projects; none by default. */
  readonly limit?: WaitingLimit;
  /** How many runs may wait because of this one, at one time; 1 by default. */
  readonly adding?: number;
  /** Quotas limit the waiting runs of the project, and of this user in it; omitted: they do not. */
  readonly userId?: Id;
  /** Names of runs of the project that it waits for; none by default. */
  readonly upstreams?: readonly string[];
  /**
   * Pure; called inside the transaction once the name is certain, with the present runs of the names of
   * `upstreams`, by name. None of them ends before the commit.
   */
  readonly build: (name: string, upstreams: ReadonlyMap<string, RunRecord>) => NewRun;
  /** Event for each finished namesake, which is marked deleted. */
  readonly superseded: (run: RunRecord) => NewEvent;
}

/** At most this many runs of the user wait (see `WAITING_RUN_STATUSES`), the new one included. */
export interface WaitingLimit {
  readonly userId: Id;
  readonly most: number;
}

export type SubmitOutcome =
  | { readonly type: 'submitted'; readonly run: RunRecord; readonly jobs: readonly JobRecord[] }
  /** The user has `waiting` waiting runs, and may have no more. */
  | { readonly type: 'too-many-waiting'; readonly waiting: number }
  /** A quota of the project, or of the user in it, allows no more than `most`, and `waiting` wait. */
  | {
      readonly type: 'quota-of-waiting';
      readonly of: 'project' | 'user';
      readonly waiting: number;
      readonly most: number;
    }
  /** An unfinished run has this name. */
  | { readonly type: 'name-taken'; readonly active: RunRecord };

export interface NewFleet extends WriteExtras {
  readonly fleet: FleetRecord;
  readonly instances: readonly InstanceRecord[];
}

export interface CreateFleet {
  readonly projectId: Id;
  readonly name: NameChoice;
  readonly build: (name: string) => NewFleet;
}

export type CreateFleetOutcome =
  | {
      readonly type: 'created';
      readonly fleet: FleetRecord;
      readonly instances: readonly InstanceRecord[];
    }
  | { readonly type: 'name-taken' };

/**
 * The gangs that a pass examines. `new`: those that no pass has examined, if nothing else has happened
 * since the last pass; gangs that wait are read only where there is room, since then they may be ahead.
 */
export type Examined = 'all' | 'new';

/** All capacity that one project may use, without the facts about its backends. */
export type ProjectCapacity = Omit<CapacitySnapshot, 'projects'>;

export interface LoadedPool extends WaitingPool {
  /** Whether gangs that wait were read too. */
  readonly isWhole: boolean;
  /** Whether it is a pool of one project, whose pass delays no other project. */
  readonly isOfOneProject: boolean;
}

/** The first gangs of the queue of a pool, in their order. */
export interface PoolQueue extends WaitingPool {
  /** Running jobs whose end is guessed by earlier runs of their name. */
  readonly guesses: readonly Occupant[];
  /** All that wait. */
  readonly total: number;
  /** Names of the users of these runs, by the id of the user. */
  readonly userNames: Readonly<Record<Id, string>>;
}

/** The operations of the loops, and the API's writes to runs and fleets. */
/** The outcome of a decision's write. */
export type Applied = 'applied' | 'conflict' | 'late';

export interface EngineStore {
  /** Each reads at one moment. Null: no such row. */
  loadRun(id: Id, memory: RunMemory): Promise<RunSnapshot | null>;
  /**
   * Null also if nothing waits. `only` (all by default): see `Examined`. `withClaims`: also where no project is
   * guaranteed anything.
   */
  loadPlacement(poolId: Id, only?: Examined, withClaims?: boolean): Promise<LoadedPool | null>;
  /** The capacity that one project may use. The project must exist. */
  loadCapacity(projectId: Id): Promise<ProjectCapacity>;
  loadInstance(id: Id): Promise<InstanceSnapshot | null>;
  loadFleet(id: Id): Promise<FleetSnapshot | null>;
  loadVolume(id: Id): Promise<VolumeSnapshot | null>;
  loadGateway(id: Id): Promise<GatewaySnapshot | null>;
  loadGroup(id: Id): Promise<GroupSnapshot | null>;
  /** A run and all capacity that it may use, for explanations. Null: no such run. */
  loadExplainedRun(id: Id, hints: CapacityHints, memory: RunMemory): Promise<ExplainedRun | null>;
  /**
   * The first `limit` gangs of the queue of the project's pool, and those behind them that have reserved
   * something. `withClaims`: see `loadPlacement`. The project must exist.
   */
  loadPoolQueue(projectId: Id, limit: number, withClaims?: boolean): Promise<PoolQueue>;
  /** Runs that hold blocks of these instances, oldest job first. */
  blockHolders(instanceIds: readonly Id[]): Promise<BlockHolder[]>;

  /**
   * All changes in one transaction or none. `conflict`: a version was stale, or a row that must be
   * unique existed already; nothing is written and the pass runs again. Updates of one row with the
   * same version are one write. `late`: `decidedAt`, the time by which it was decided, is not the present one by the clock of
   * the database, since the server was stopped meanwhile or its clock is wrong. Throws `store_intent_conflict` if an intent's key exists with
   * another content, which is a mistake of the decision.
   */
  apply(
    changes: readonly Change[],
    signals?: readonly Signal[],
    decidedAt?: Timestamp,
  ): Promise<Applied>;

  submitRun(submit: SubmitRun): Promise<SubmitOutcome>;
  createFleet(create: CreateFleet): Promise<CreateFleetOutcome>;
  /** A name that is free now; the write that takes it checks again. */
  freeName(kind: NamedKind, projectId: Id, name: NameChoice): Promise<string | null>;

  /**
   * Writes of the API: lock the row, read, decide, write, in one transaction and again until it
   * succeeds. They never wait for a lease and never lose against a pass. Returns what was read, or
   * null if there is no such row.
   */
  updateRun(
    id: Id,
    decide: Decide<BareRun>,
    gateway?: GatewayGuard | null,
  ): Promise<BareRun | null>;
  /** The same for the run of an array, of which no member is born until the write ends. */
  updateArray(id: Id, decide: Decide<ArrayRun>): Promise<ArrayRun | null>;
  updateInstance(id: Id, decide: Decide<InstanceSnapshot>): Promise<InstanceSnapshot | null>;
  updateFleet(id: Id, decide: Decide<FleetSnapshot>): Promise<FleetSnapshot | null>;
  updateVolume(id: Id, decide: Decide<VolumeSnapshot>): Promise<VolumeSnapshot | null>;
  updateGateway(id: Id, decide: Decide<GatewaySnapshot>): Promise<GatewaySnapshot | null>;
  /** With the services behind it: none is added until the write ends. */
  endGateway(id: Id, decide: Decide<GatewayUse>): Promise<GatewayUse | null>;
  /**
   * The same for every unfinished run of these names, in a transaction each, some at a time; unknown and
   * finished ones are ignored. Only the run is read. Returns the ids of the runs concerned. Throws the first
   * error; what was written before, or at the same time, stays.
   */
  updateUnfinishedRuns(
    projectId: Id,
    names: readonly string[],
    decide: Decide<BareRun>,
  ): Promise<Id[]>;

  /** Keys whose `nextPassAt` is not after `until`, earliest first. */
  due(kind: ScheduledKind, until: Timestamp, limit: number): Promise<string[]>;
  nextDue(kind: ScheduledKind): Promise<Timestamp | null>;
  /**
   * Every key that may have work: to be enqueued at start-up and on the slow sweep. Runs that only
   * wait for capacity are left out: placement or their alarm signals them.
   */
  unfinished(): Promise<Signal[]>;
  /** Counts what older servers have changed in members of arrays: at start-up and on the slow sweep. */
  countOverlooked(): Promise<void>;
  /** Counts the time by which usage is forgotten, also while nothing is claimed: on the slow sweep. */
  keepShareTime(): Promise<void>;
  /** Every `nextPassAt` that is set: the alarms to arm at start-up. */
  alarms(): Promise<Alarm[]>;
  /** Pools with waiting jobs in which the freed capacity may be used. */
  waitingFor(freed: FreedCapacity): Promise<Id[]>;

  /**
   * Everything that waits for a host: its instances, the runs of their unfinished jobs, and the
   * announced effects that its agent carries out.
   */
  hostDependants(hostId: Id): Promise<Signal[]>;
  /** Null if it does not exist or is no longer announced. */
  announcedIntent(key: string): Promise<IntentRecord | null>;
  intent(key: string): Promise<IntentRecord | null>;
  /**
   * Writes its outcome, apart from all passes; returns false if it was no longer announced.
   */
  finishIntent(
    key: string,
    state: 'done' | 'failed',
    result: IntentResult | null,
    error: string | null,
    signals?: readonly Signal[],
  ): Promise<boolean>;
  /** Replaces the payload of an effect under way; returns false if it was no longer announced. */
  amendIntent(key: string, payload: IntentPayload): Promise<boolean>;

  /** The clock by which leases are judged: the database's, or this server's if it is alone (µs). */
  time(): Promise<Timestamp>;
  /**
   * Leases. True: `owner` holds the row until now + `ttl` (µs). An expired lease can be taken.
   * Leases raise no version. Placement is leased on the pool.
   */
  claim(kind: LeasedKind, id: string, owner: string, ttl: number): Promise<boolean>;
  renew(kind: LeasedKind, id: string, owner: string, ttl: number): Promise<boolean>;
  release(kind: LeasedKind, id: string, owner: string): Promise<void>;
  /**
   * How much longer the lease lasts if it is not renewed (µs); null = it is free; `gone` = its row was
   * deleted, so that no server can ever take it.
   */
  leaseLeft(kind: LeasedKind, id: string): Promise<number | 'gone' | null>;
  /** On a database of one server, at start-up: every earlier holder of a lease is dead. */
  dropLeases(): Promise<void>;
  /** The link to a host, leased the same way. */
  claimHost(hostId: string, owner: string, ttl: number): Promise<boolean>;
  /** Returns the hosts whose leases the owner still holds. */
  renewHosts(hostIds: readonly string[], owner: string, ttl: number): Promise<string[]>;
  releaseHost(hostId: string, owner: string): Promise<void>;
  /** The owner of the link to this host; null = none. */
  hostOwner(hostId: string): Promise<string | null>;
  /** Hosts recorded as connected whose server has not renewed its lease. */
  orphanedHosts(): Promise<string[]>;

  /**
   * Calls `listener` with every signal of every server on this database, after its transaction has
   * committed. Calls `missed` if some may have been lost (the connection to PostgreSQL broke):
   * sweep then. Returns a function that removes the listener.
   */
  onSignal(listener: (signal: Signal) => void, missed?: () => void): () => void;
  /** Signals without a write. */
  signal(signals: readonly Signal[]): Promise<void>;
}

export interface Alarm {
  readonly kind: ScheduledKind;
  readonly id: Id;
  readonly at: Timestamp;
}

/** Kinds of work that one server at a time does on a key. */
export type LeasedKind = Exclude<WorkKind, 'capacity' | 'placement'> | 'sweep' | 'retention';

/** Kinds whose rows have a `nextPassAt`. */
export type ScheduledKind =
  | 'run'
  | 'instance'
  | 'observation'
  | 'fleet'
  | 'volume'
  | 'volume-observation'
  | 'gateway'
  | 'group';
