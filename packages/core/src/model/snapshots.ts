/**
 * The input of a pass, read at one moment. A snapshot is complete when it is loaded: its loader
 * receives the facts that only the memory of a server holds.
 */
import type { HostFacts } from '@dstack/contract/agent';
import type { ArrayDirective, ArraySnapshot } from './arrays.ts';
import type { DependencyRecord } from './dependencies.ts';
import type { GroupRecord } from './groups.ts';
import type { IntentRecord } from './intents.ts';
import type { ObservationRecord } from './observations.ts';
import type { ClaimState, PreemptionSettings } from './preemption.ts';
import type { QuotaState } from './quotas.ts';
import type {
  FleetRecord,
  HostHealthRecord,
  HostRecord,
  InstanceRecord,
  JobRecord,
  JobReport,
  RunRecord,
  TimeLimit,
} from './records.ts';
import type { ServiceLoad } from './scaling.ts';
import type { PoolShares } from './shares.ts';
import type { BackendName, Id, Timestamp } from './values.ts';
import type { FleetVolume, JobVolume, MountableVolume } from './volumes.ts';

/**
 * A time in which nothing that agents, hosts or providers did could be noticed: no server worked, or its clock was set ahead.
 * It is empty (`until` = `from`) after a jump over which no time is known to have passed.
 */
export interface Unobserved {
  readonly from: Timestamp;
  readonly until: Timestamp;
}

/** Values that a decision may not create itself. */
export interface DecisionContext {
  readonly now: Timestamp;
  /** Since when `now` has passed evenly: the start of the server or the last jump; default: `now`. */
  readonly steadySince?: Timestamp;
  /** When no answer of a host or provider could be noticed: oldest first, without overlaps. Omitted: never. */
  readonly unobserved?: readonly Unobserved[];
  readonly newId: () => Id;
  readonly settings: EngineSettings;
}

/** Server-wide settings that decisions depend on; durations in seconds. */
export interface EngineSettings {
  /** `DSTACK_SERVER_UNREACHABLE_TOLERANCE`; null = by kind of host (2 min cloud, 1 h SSH, Slurm and local). */
  readonly unreachableTolerance: number | null;
  readonly maxOffersTried: number;
  /** `DSTACK_SERVER_JOB_NETWORK_MODE`: 1 host only for multi-node, 2 host for whole instances, 3 bridge. */
  readonly jobNetworkMode: 1 | 2 | 3;
  /** The most instances of the `local` backend on this server's machine at one time. */
  readonly localMaxInstances: number;
  /** Omitted: guarantees are taken back after 5 minutes of run time, with a minute of notice. */
  readonly preemption?: PreemptionSettings;
  /** How long a replica of a gateway goes on when the one that takes its place has another address. */
  readonly gatewayMoveSeconds: number;
}

/** A run with everything that determines its next step. */
export interface RunSnapshot {
  readonly run: RunRecord;
  readonly projectName: string;
  /** The runs that have to end before it starts. */
  readonly dependencies: readonly DependencyRecord[];
  /** The array, if this is its run. */
  readonly array?: ArraySnapshot;
  /** The directive of its array, if this is a member that has not obeyed it. */
  readonly directive?: { readonly generation: number; readonly wanted: ArrayDirective };
  /** Every submission, oldest first; superseded ones only as far as texts and retries need them. */
  readonly jobs: readonly JobRecord[];
  /** Instances claimed by these jobs, and their fleets. */
  readonly instances: readonly InstanceRecord[];
  readonly fleetUses: readonly FleetUse[];
  readonly hosts: readonly HostRecord[];
  readonly reports: readonly JobReport[];
  /** Durable log length per job id; absent = 0. */
  readonly logEnds: Readonly<Record<Id, number>>;
  /** All intents whose subject is one of these jobs or instances. */
  readonly intents: readonly IntentRecord[];
  /** Gangs that wait for places of this run's jobs, by `run replica`; omitted = none. */
  readonly askers?: ReadonlySet<string>;
  /** Volumes that its jobs mount. */
  readonly volumes: readonly JobVolume[];
  /** Jobs whose output has exceeded the quota of an hour, with the message for the user. */
  readonly overQuota: Readonly<Record<Id, string>>;
  /** Consecutive successes of each probe, by number, of jobs that run and are not ready. */
  readonly probes: Readonly<Record<Id, readonly number[]>>;
  /** Failures in a row of liveness probes that failed too often. */
  readonly livenessFailures: Readonly<Record<Id, number>>;
  /** Requests to a service that scales by demand; null = the run does not. */
  readonly requests: RequestCounts | null;
  /** Load of a service with `autoscaling`; null = the run is not such a service. */
  readonly load: ServiceLoad | null;
  /**
   * GPU utilisation of running jobs with a utilisation policy, or of a service that scales by it,
   * oldest first.
   */
  readonly gpuSamples: Readonly<Record<Id, readonly GpuSample[]>>;
}

/** Facts that the next step of a run depends on and only the memory of a server holds. */
export interface RunMemory {
  /** Jobs whose output has exceeded the quota of an hour, with the message for the user. */
  readonly overQuota: ReadonlyMap<Id, string>;
}

/** Number of requests to a service, by the length in seconds of the period before now. */
export type RequestCounts = Readonly<Record<number, number>>;

/** One reading of all GPUs of a job, in percent. */
export interface GpuSample {
  readonly at: Timestamp;
  readonly utilization: readonly number[];
}

/** A fleet with the number of its instances that are neither terminating nor terminated. */
export interface FleetUse {
  readonly fleet: FleetRecord;
  readonly active: number;
}

/** A gang: the jobs of one replica that must be placed together or not at all. */
export interface Gang {
  readonly run: RunRecord;
  readonly jobs: readonly JobRecord[];
}

/** All capacity on which the work of some projects could be placed. */
export interface CapacitySnapshot {
  /** That one of the projects owns or imports, not deleted. */
  readonly fleets: readonly FleetRecord[];
  /** All instances of these fleets that are not deleted. */
  readonly instances: readonly InstanceRecord[];
  readonly projectNames: Readonly<Record<Id, string>>;
  /** Volumes of the projects whose runs name some, not deleted. */
  readonly volumes: readonly MountableVolume[];
  /** The machines of servers, as far as instances of any project are there or the server is alive. */
  readonly serverHosts: readonly ServerHostUse[];
  /** The projects, by id. */
  readonly projects: ReadonlyMap<Id, PoolProject>;
  /** The quotas of the projects; omitted = they have none. */
  readonly quotas?: readonly QuotaState[];
  /** The usage of the projects; omitted = the pool is not shared by weight. */
  readonly shares?: PoolShares;
  /** Jobs with places, where some of them may have to leave; omitted = none may. */
  readonly claims?: readonly ClaimState[];
  /** Jobs on the instances that have a `max_duration`. Of the others, no end is known. */
  readonly occupants?: readonly Occupant[];
}

/** A job on an instance, of which an end is known. */
export interface Occupant {
  readonly instanceId: Id;
  readonly blocks: number;
  /** Since when it has its place. */
  readonly startedAt: Timestamp;
  /** Since when its `max_duration` counts; null = it does not run yet. */
  readonly runningAt: Timestamp | null;
  readonly limit: TimeLimit;
}

/** The facts about a project's backends, beside their offers, that placement needs. */
export interface CapacityHints {
  /** Backends that show offers but cannot create machines. */
  readonly offersOnly: ReadonlySet<BackendName>;
  /** Some backend sends no signals about capacity, so placement polls it. */
  readonly hasPolledBackends: boolean;
  /** The project may use the machine of this server. */
  readonly hasServerHost?: boolean;
}

/** Backends from which placement got no offers, and whether answers are still to come. */
export interface BackendSilence {
  /** Backends that have just not answered, with the reason for people; a refusal names them. */
  readonly unreachable?: readonly { readonly backend: BackendName; readonly text: string }[];
  /**
   * The questions are still open: gangs that find no place on existing instances are left to the
   * next pass, so that slow backends of one project do not delay the others.
   */
  readonly isUnanswered?: boolean;
}

/** A project whose gangs are placed. */
export interface PoolProject extends CapacityHints, BackendSilence {
  /** Own and imported ones. */
  readonly fleets: ReadonlySet<Id>;
}

/** A version is raised by each change of which projects may use which fleets. */
export interface PoolVersion {
  readonly id: Id;
  readonly version: number;
}

/** The waiting work of a pool and all capacity on which it could be placed. */
export interface PlacementSnapshot extends CapacitySnapshot {
  /** Null: a look at the work of one project and of those that share its fleets. */
  readonly pool: PoolVersion | null;
  /**
   * Submitted and unassigned: all gangs that no pass has examined, and the most urgent waiting gangs
   * of each demand class.
   */
  readonly gangs: readonly Gang[];
  /** Demand classes with more waiting gangs than `gangs` contains. */
  readonly more: ReadonlySet<string>;
}

/** The same as it is stored, before the backends are asked. */
export interface WaitingPool extends Omit<PlacementSnapshot, 'projects'> {
  /** The fleets that each project with waiting work may use. */
  readonly rights: ReadonlyMap<Id, ReadonlySet<Id>>;
}

/** The use of one server's machine by instances of the `local` backend, in all projects together. */
export interface ServerHostUse {
  /** Key of its host's record. */
  readonly hostId: string;
  /** For its limit. */
  readonly instances: number;
  /** Those instances that hold jobs, or will soon. */
  readonly busy: readonly LocalUse[];
  /** Changes whenever `instances` or `busy` does, for `local.check`. */
  readonly state: string;
  /** Several servers share the database, and the one there holds the lease on the host. */
  readonly isAlive: boolean;
  /** As its agent has reported; null, or omitted: not known, or its server is not alive. */
  readonly facts?: HostFacts | null;
}

/** The `state` of a machine without instances. */
export const UNUSED_SERVER_HOST = '0';

/** The fields that decide how many GPUs of the server host an instance holds. */
export type LocalUse = Pick<InstanceRecord, 'backend' | 'offer' | 'totalBlocks' | 'busyBlocks'>;

export interface InstanceSnapshot {
  readonly instance: InstanceRecord;
  readonly fleet: FleetRecord;
  /** Unfinished jobs that claim it. */
  readonly jobs: readonly JobRecord[];
  readonly host: HostRecord | null;
  readonly health: HostHealthRecord | null;
  /**
   * The last report of its backend; null before the first answer, or if the backend never reports.
   */
  readonly observation: ObservationRecord | null;
  /** Its compute group. */
  readonly group: GroupRecord | null;
  readonly intents: readonly IntentRecord[];
  /** Instances of its fleet that are neither terminating nor terminated. */
  readonly activeInFleet: number;
  /** The server's machine on which an instance that its fleet plans was created; else null. */
  readonly local: ServerHostUse | null;
}

export interface FleetSnapshot {
  readonly fleet: FleetRecord;
  readonly projectName: string;
  readonly projectDeleted: boolean;
  readonly instances: readonly InstanceRecord[];
  /** In a cluster, the orders of instances that are not created yet; elsewhere none. */
  readonly intents: readonly IntentRecord[];
  /** That are not deleted. */
  readonly groups: readonly GroupRecord[];
  /** Unfinished runs with this `fleetId`. */
  readonly activeRuns: number;
  /** Runs with jobs on its instances; omitted where the fleet has no windows of maintenance. */
  readonly placedRuns?: readonly Id[];
  /** Held by its SSH hosts, not deleted, by name. */
  readonly volumes: readonly FleetVolume[];
}
