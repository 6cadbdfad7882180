/**
 * The server's records, one per row. `store` maps rows to these types and back; the pure decisions
 * of this package read them and return `Change`s. JSON parts keep the wire's own shape and
 * snake_case names, so that they are stored and served without translation.
 *
 * Every record with a `version` is written guarded: each write raises the number, and a change
 * based on an older number is refused.
 */

import type { HostCheck, HostFacts, JobState, PullProgress } from '@dstack/contract/agent';
import type {
  FleetSpec,
  JobSpec,
  Profile,
  Refusal,
  Requirements,
  RunSpec,
  ServiceSpec,
} from '@dstack/contract/wire';
import type { DependencyState, EndOutcome } from './dependencies.ts';
import type {
  FleetStatus,
  HealthStatus,
  InstanceStatus,
  InstanceTerminationReason,
  JobStatus,
  JobTerminationReason,
  RunStatus,
  RunTerminationReason,
} from './names.ts';
import type { InstanceHandle } from './observations.ts';
import type { EvictionRecord, ReclaimRecord } from './preemption.ts';
import type { ChargeRecord } from './quotas.ts';
import type { RolloutRecord } from './rollouts.ts';
import type { GroupScaling } from './scaling.ts';
import type { BackendName, Id, Offer, ProvisioningData, RuntimeData, Timestamp } from './values.ts';

/** By request of a user, a run stays out of the queue until it is released. */
export interface HoldRecord {
  /** Name of that user at the time, or of the backend. */
  readonly by: string;
  readonly since: Timestamp;
}

export interface RunRecord {
  readonly id: Id;
  readonly projectId: Id;
  readonly userId: Id;
  readonly name: string;
  /** The effective spec: with defaults, without secrets. */
  readonly spec: RunSpec;
  readonly status: RunStatus;
  readonly terminationReason: RunTerminationReason | null;
  readonly priority: number;
  readonly deploymentNum: number;
  /** Desired replicas per group; tasks and dev environments: `{"0": 1}`. */
  readonly desiredReplicas: Readonly<Record<string, number>>;
  /** Progress of the last update of a service; null = there was none. */
  readonly rollout: RolloutRecord | null;
  /** By group, of services with `autoscaling`; null = nothing was measured yet. */
  readonly autoscaling: Readonly<Record<string, GroupScaling>> | null;
  /** Consecutive resubmissions from `pending`; determines the retry delay. */
  readonly resubmissionAttempt: number;
  /** Set in the transaction that assigns the first job. */
  readonly fleetId: Id | null;
  readonly gatewayId: Id | null;
  readonly serviceSpec: ServiceSpec | null;
  readonly submittedAt: Timestamp;
  /** Null = it depends on no other run. */
  readonly dependencyState: DependencyState | null;
  /** How the last execution ended of a run with a schedule; null = there was none. */
  readonly lastOutcome: EndOutcome | null;
  /** Null = it is not held. */
  readonly hold: HoldRecord | null;
  /** The run of the array that it is a member of; null = it is none. */
  readonly arrayId: Id | null;
  readonly arrayIndex: number | null;
  /** Since when the array may be in the queue, plus the index: members are placed by it. */
  readonly arraySince: Timestamp | null;
  /** Number of the directive of its array that it has obeyed; null = it is in no array. */
  readonly arraySeen: number | null;
  /** Since when it may be in the queue, if that is later than its submission; null = since then. */
  readonly eligibleAt: Timestamp | null;
  readonly lastProcessedAt: Timestamp;
  readonly nextTriggeredAt: Timestamp | null;
  /** When a pass is due without a signal; null = never. */
  readonly nextPassAt: Timestamp | null;
  readonly deleted: boolean;
  readonly version: number;
}

/** Why a job has to leave its instance, and when. */
export interface NoticeRecord {
  readonly message: string;
  readonly requestedAt: Timestamp;
  /** The provider takes the machine back, so that `retry` decides whether the run goes on. */
  readonly isTakenBack?: true;
  /** Its process gets Ctrl-C; until then the notice can be withdrawn, and an exit is the job's own. */
  readonly interruptAt: Timestamp;
  readonly endsAt: Timestamp;
}

/**
 * The capacity on which a waiting gang will start. Other gangs use it only if they end before that.
 * Instances of which no end is known are not reserved.
 */
export interface ReservedRecord {
  readonly since: Timestamp;
  /** The expected start, by the known ends of the jobs that are there now. */
  readonly startsAt: Timestamp;
  /** The earliest start that was expected on these instances, if it has been put off since. */
  readonly promisedAt?: Timestamp;
  readonly shares: readonly ReservedShare[];
}

export interface ReservedShare {
  readonly instanceId: Id;
  readonly blocks: number;
}

/** How long a job may run: `max_duration`, and `stop_duration` to end by itself; null = no limit. */
export interface TimeLimit {
  readonly seconds: number;
  readonly stopSeconds: number | null;
}

/** One job submission. Its id is also the agent's job id and the id of its log. */
export interface JobRecord {
  readonly id: Id;
  readonly runId: Id;
  readonly projectId: Id;
  readonly jobNum: number;
  readonly replicaNum: number;
  readonly submissionNum: number;
  readonly deploymentNum: number;
  /** `<run>-<job_num>-<replica_num>` */
  readonly name: string;
  readonly spec: JobSpec;
  readonly status: JobStatus;
  readonly terminationReason: JobTerminationReason | null;
  readonly terminationMessage: string | null;
  readonly exitStatus: number | null;
  /** One of `HOST_FAULTS`, or one that a newer agent reports, if the host failed and not the job. */
  readonly hostFault: string | null;
  /** Kept if the job ends because of it; it is then submitted again whatever the value of `retry`. */
  readonly notice: NoticeRecord | null;
  /** Why placement found no place; set while the job waits, and kept if it ends for that reason. */
  readonly refusal: Refusal | null;
  /** Since when the job waits for capacity; null = its run has not decided that it may wait. */
  readonly waitingSince: Timestamp | null;
  /** For the first job of a gang: the capacity that the gang has reserved while it waits. */
  readonly reserved: ReservedRecord | null;
  /** Null = it has no `max_duration`. */
  readonly timeLimit: TimeLimit | null;
  /** Demand class and urgency: the position in the queue while the job has no instance. */
  readonly demand: string | null;
  readonly priority: number;
  readonly queuedAt: Timestamp;
  /** Number of consecutive failures before this submission; determines the next retry delay. */
  readonly attempt: number;
  /** Earlier submissions of its replica, within this execution, that were interrupted. */
  readonly resumeCount: number;
  /** The claimed instance; set from assignment to release. */
  readonly instanceId: Id | null;
  /** Blocks of the instance this job holds; 0 before assignment and after release. */
  readonly claimedBlocks: number;
  /** Null = it has no claim, or there was no quota of its project and no weight in its pool at the time. */
  readonly charge: ChargeRecord | null;
  /** It has to give its place to a gang that comes first. */
  readonly eviction: EvictionRecord | null;
  /** It waits for the places of others, which have to leave them. */
  readonly reclaim: ReclaimRecord | null;
  readonly provisioningData: ProvisioningData | null;
  readonly runtimeData: RuntimeData | null;
  readonly submittedAt: Timestamp;
  /**
   * When the job was assigned its instance, when its process was first reported running, when it
   * ended.
   */
  readonly provisionedAt: Timestamp | null;
  readonly runningAt: Timestamp | null;
  readonly finishedAt: Timestamp | null;
  /** When its status last changed; deadlines of passing statuses count from here. */
  readonly statusChangedAt: Timestamp;
  /** When a stop was requested, and whether a graceful one; determines stages and texts. */
  readonly stopRequestedAt: Timestamp | null;
  readonly stopGraceful: boolean;
  /** The first moment at which the host was unreachable while the job was alive. */
  readonly disconnectedAt: Timestamp | null;
  readonly inactivitySecs: number | null;
  readonly registered: boolean;
  readonly ready: boolean;
  readonly version: number;
}

/** Signs that a host, not its jobs, is the reason why they do not start. */
export interface HostTrouble {
  /** The check of its executor fails. */
  readonly executorFails: boolean;
  /** Starts in a row that have failed because of the host. */
  readonly failedStarts: number;
  /** Message of the last of them. */
  readonly cause: string | null;
  /** Until then it gets no jobs; null = it is not cooling down. */
  readonly coolsUntil: Timestamp | null;
}

/**
 * By request of a person, or because its provider takes it back, an instance gets no new jobs; if it is drained, its
 * present jobs leave it.
 */
export interface SchedulingRecord {
  readonly state: 'cordoned' | 'draining';
  /** The reason in the words of that person, or of the provider. */
  readonly reason: string | null;
  /** Name of that user at the time. */
  readonly by: string;
  readonly since: Timestamp;
  /** When a cordon ends by itself; null = not before the instance is uncordoned. */
  readonly until: Timestamp | null;
  /** Seconds from `since` within which the last job has to leave; only a drain sets it. */
  readonly seconds?: number;
  /** When the last job had left; only a drain sets it. */
  readonly drainedAt?: Timestamp;
  /** The provider takes the machine back: it ends once the last job has left. */
  readonly isTakenBack?: true;
}

export interface InstanceRecord {
  readonly id: Id;
  readonly projectId: Id;
  readonly fleetId: Id;
  readonly instanceNum: number;
  /** `<fleet>-<instance_num>` */
  readonly name: string;
  /** Null until an offer was chosen (`region` is then empty and `price` 0). */
  readonly backend: BackendName | null;
  readonly region: string;
  readonly price: number;
  readonly status: InstanceStatus;
  readonly unreachable: boolean;
  readonly health: HealthStatus;
  /** A description of the problem; null while it is healthy. */
  readonly healthMessage: string | null;
  /** Why its host starts no jobs, or has failed to; null = there is no sign of that. */
  readonly hostTrouble: HostTrouble | null;
  /** Null = it gets new jobs, unless something is wrong with it. */
  readonly scheduling: SchedulingRecord | null;
  /** The job for which this instance is created, while it is a placeholder or being provisioned. */
  readonly provisioningJobId: Id | null;
  readonly offer: Offer | null;
  readonly provisioningData: ProvisioningData | null;
  /** Null until known (`blocks: auto` of an SSH host). */
  readonly totalBlocks: number | null;
  readonly busyBlocks: number;
  readonly requirements: Requirements | null;
  readonly profile: Profile | null;
  /** Seconds without a job after which it is terminated; null = never. 0 = with its job. */
  readonly idleSeconds: number | null;
  /** The compute group whose machines are ordered, and end, together; null = it is ordered alone. */
  readonly groupId: Id | null;
  /** How its backend finds it; null while nothing has been ordered. */
  readonly handle: InstanceHandle | null;
  /** Which agent runs its jobs: key of a `HostRecord`. */
  readonly hostId: string | null;
  /** Of an SSH host, as its fleet names it: known before the host is reached. Null for others, and for hosts of earlier versions. */
  readonly address: string | null;
  readonly hostFacts: HostFacts | null;
  readonly terminationReason: InstanceTerminationReason | null;
  readonly terminationMessage: string | null;
  readonly createdAt: Timestamp;
  readonly startedAt: Timestamp | null;
  /** Since when it has its present price; null = since its start. */
  readonly pricedSince: Timestamp | null;
  readonly finishedAt: Timestamp | null;
  readonly deletedAt: Timestamp | null;
  readonly lastJobFinishedAt: Timestamp | null;
  readonly statusChangedAt: Timestamp;
  readonly unreachableSince: Timestamp | null;
  readonly nextPassAt: Timestamp | null;
  readonly deleted: boolean;
  readonly version: number;
}

export interface FleetRecord {
  readonly id: Id;
  readonly projectId: Id;
  readonly name: string;
  readonly spec: FleetSpec;
  readonly status: FleetStatus;
  readonly statusMessage: string | null;
  readonly createdAt: Timestamp;
  readonly consolidationAttempt: number;
  readonly lastConsolidatedAt: Timestamp | null;
  readonly masterInstanceId: Id | null;
  /** The window that its jobs were notified of, until it has ended. */
  readonly maintenance: MaintenanceRecord | null;
  readonly nextPassAt: Timestamp | null;
  readonly deleted: boolean;
  readonly version: number;
}

/** A window of maintenance in which no job is on the fleet. */
export interface MaintenanceRecord {
  /** Since when its jobs have notice. */
  readonly since: Timestamp;
  readonly startsAt: Timestamp;
  readonly endsAt: Timestamp;
  /** Whether its beginning was recorded. */
  readonly hasBegun: boolean;
}

/** The connection to one agent. It changes without raising the version of an instance. */
export interface HostRecord {
  /** Instance id, or `local` for the server host. */
  readonly id: string;
  readonly connected: boolean;
  /** Since when `connected` has its present value. */
  readonly since: Timestamp;
  readonly facts: HostFacts | null;
  /** Executor of its agent: decides whether a job passes `pulling`. */
  readonly executor: 'docker' | 'process' | null;
  /** Why it is not connected, for people. */
  readonly error: string | null;
  /** No further attempt can install the agent there; `error` has the reason. */
  readonly failed: boolean;
}

/** The last health report of a host's agent. It does not raise the version of the instance. */
export interface HostHealthRecord {
  readonly hostId: string;
  /** The findings of the agent, and the server's comparison of their clocks. */
  readonly checks: readonly HostCheck[];
  /** Since when the worst finding has its present severity. */
  readonly since: Timestamp;
  readonly reportedAt: Timestamp;
}

/** The last report of an agent about a job, and how much of its log is stored. */
export interface JobReport {
  readonly jobId: Id;
  /** The host whose agent reported it; the job may have left its instance already. */
  readonly hostId: string;
  readonly state: JobState;
  readonly receivedAt: Timestamp;
  readonly pull: PullProgress | null;
}

/** Durable length of a job's log in the server's log store. */
export interface JobLogEnd {
  readonly jobId: Id;
  readonly stored: number;
}
