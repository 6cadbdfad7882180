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
  BackendType,
  FleetSpec,
  InstanceOfferWithAvailability,
  JobSpec,
  Profile,
  Refusal,
  Requirements,
  RunSpec,
  ServiceSpec,
  JobProvisioningData as WireJobProvisioningData,
  JobRuntimeData as WireJobRuntimeData,
} from '@dstack/contract/wire';
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

/** An instant: integer microseconds since the epoch. */
export type Timestamp = number;

/** UUID v4, lower case. */
export type Id = string;

/** `local` is the server host; clients see it as `remote` in region `local`. */
export type BackendName = BackendType | 'local';

/** An offer, a machine and a share of it as on the wire, except for the backend's name. */
export type Offer = Omit<InstanceOfferWithAvailability, 'backend'> & {
  readonly backend: BackendName;
};
export type ProvisioningData = Omit<WireJobProvisioningData, 'backend' | 'base_backend'> & {
  readonly backend: BackendName;
  readonly base_backend?: BackendName | null;
};
export type RuntimeData = Omit<WireJobRuntimeData, 'offer'> & { readonly offer: Offer | null };

/** Microseconds in a second; instants plus durations are written `now + 5 * SECOND`. */
export const SECOND = 1_000_000;

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
  /** Consecutive resubmissions from `pending`; determines the retry delay. */
  readonly resubmissionAttempt: number;
  /** Set in the transaction that assigns the first job. */
  readonly fleetId: Id | null;
  readonly gatewayId: Id | null;
  readonly serviceSpec: ServiceSpec | null;
  readonly submittedAt: Timestamp;
  readonly lastProcessedAt: Timestamp;
  readonly nextTriggeredAt: Timestamp | null;
  /** When a pass is due without a signal; null = never. */
  readonly nextPassAt: Timestamp | null;
  readonly deleted: boolean;
  readonly version: number;
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
  /** Why placement found no place; set while the job waits, and kept if it ends for that reason. */
  readonly refusal: Refusal | null;
  /** Since when the job waits for capacity; null = its run has not decided that it may wait. */
  readonly waitingSince: Timestamp | null;
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

export interface InstanceRecord {
  readonly id: Id;
  readonly projectId: Id;
  readonly fleetId: Id;
  readonly instanceNum: number;
  /** `<fleet>-<instance_num>` */
  readonly name: string;
  /** Null while no offer has been taken (`region` is then empty and `price` 0). */
  readonly backend: BackendName | null;
  readonly region: string;
  readonly price: number;
  readonly status: InstanceStatus;
  readonly unreachable: boolean;
  readonly health: HealthStatus;
  /** What is wrong, for people; null while it is healthy. */
  readonly healthMessage: string | null;
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
  readonly hostFacts: HostFacts | null;
  readonly terminationReason: InstanceTerminationReason | null;
  readonly terminationMessage: string | null;
  readonly createdAt: Timestamp;
  readonly startedAt: Timestamp | null;
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
  readonly nextPassAt: Timestamp | null;
  readonly deleted: boolean;
  readonly version: number;
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
  /** No further attempt can install the agent there; `error` says why. */
  readonly failed: boolean;
}

/** How a backend finds an instance that it has created. */
export interface InstanceHandle {
  /** The provider's id, unique within the backend. */
  readonly id: string;
  /** JSON of the adapter for its own calls; nothing else reads it. */
  readonly data: string | null;
}

/** The machine of an instance, as its backend describes it. */
export interface ObservedMachine {
  /** Null: the offer that was ordered holds. */
  readonly offer: Offer | null;
  readonly provisioningData: ProvisioningData;
  /** Null: as the fleet divides its instances. */
  readonly totalBlocks: number | null;
}

/** What a backend reports of an instance. Texts are for people. */
export type InstanceObservation =
  /** `text`: the stage, such as `booting` or `in the queue of partition gpu`. */
  | { readonly state: 'pending'; readonly text: string }
  /** Its agent can be reached. `machine` null: described once the agent has reported its facts. */
  | { readonly state: 'ready'; readonly machine: ObservedMachine | null }
  /**
   * It ends or has ended without an order of the server: a spot instance was reclaimed, the
   * provider could not start it, or the fleet can never use it (`refused`).
   */
  | {
      readonly state: 'interrupted';
      readonly reason: 'spot' | 'failed' | 'refused';
      readonly text: string;
    }
  | { readonly state: 'missing' };

/** The last observation of something at a backend. */
export interface ObservedState<O extends { readonly state: string }> {
  readonly observation: O;
  /** Since when `state` has its present value. */
  readonly since: Timestamp;
  readonly checkedAt: Timestamp;
  /** Why the backend did not answer the last question; null = it answered. */
  readonly error: string | null;
  /** When it is due again; null = never. */
  readonly nextPassAt: Timestamp | null;
}

/** The last observation of an instance. It changes without raising the version of the instance. */
export interface ObservationRecord extends ObservedState<InstanceObservation> {
  readonly instanceId: Id;
}

/** The last report of an agent about the health of its host. Raises no version of an instance. */
export interface HostHealthRecord {
  readonly hostId: string;
  /** What the agent found, and the server's comparison of their clocks. */
  readonly checks: readonly HostCheck[];
  /** Since when the worst of them is what it is. */
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

/**
 * An outside effect, announced in the transaction that decides it. The effect carries `key` =
 * `<kind>:<subject>:<attempt>`, by which it can be found after a crash.
 */
export interface IntentRecord {
  readonly key: string;
  readonly kind: IntentKind;
  /** Id of a job, an instance, a group, a volume, or of an attachment of a volume, by the kind. */
  readonly subjectId: Id;
  readonly attempt: number;
  readonly payload: IntentPayload;
  readonly state: 'announced' | 'done' | 'failed';
  /** The outcome; written at once, in a transaction of its own. */
  readonly result: IntentResult | null;
  readonly error: string | null;
  readonly createdAt: Timestamp;
  readonly updatedAt: Timestamp;
}

export type IntentKind = IntentPayload['kind'];

/** An intent of one kind. */
export type IntentOf<K extends IntentKind> = Omit<IntentRecord, 'kind' | 'payload'> & {
  readonly kind: K;
  readonly payload: Extract<IntentPayload, { readonly kind: K }>;
};

export type IntentPayload =
  /** Put the job on its host; `hold` for a cluster. */
  | { readonly kind: 'job.start'; readonly hold: boolean }
  /** All addresses of a gang are known: the held job may run. */
  | { readonly kind: 'job.release' }
  | {
      readonly kind: 'job.stop';
      readonly grace: boolean;
      readonly reason: string;
      readonly message: string | null;
    }
  | { readonly kind: 'job.remove'; readonly hostId: string }
  /**
   * Try the offers in order: at most `maxTries` attempts, skipped offers not counted. No offers =
   * an instance of a fleet without a job: request offers for its requirements and profile. An
   * instance that exists already (an SSH host) is adopted from its backend without an offer.
   */
  | {
      readonly kind: 'instance.create';
      readonly offers: readonly Offer[];
      readonly maxTries: number;
      readonly totalOffers: number;
      readonly asked?: OffersWhenAsked;
      /** No backend has been asked yet, so nothing can appear if it is never carried out. */
      readonly untried?: true;
    }
  | { readonly kind: 'instance.terminate' }
  /** `offers`: tried in order for a compute group; a placement group is at a place already. */
  | {
      readonly kind: 'group.create';
      readonly offers: readonly Offer[];
      readonly maxTries: number;
      readonly totalOffers: number;
      readonly asked?: OffersWhenAsked;
    }
  | { readonly kind: 'group.delete' }
  | VolumeIntentPayload;

/**
 * How many offers were left when the backend of the first of them was asked: it may have made what was
 * ordered, whatever else it says now, unless it has looked for it.
 */
export type OffersWhenAsked = number;

/** How a backend finds a volume. */
export interface VolumeHandle {
  /** The provider's id, shown as `volume_id`. */
  readonly id: string;
  readonly region: string;
  /** JSON of the adapter, not read by anybody else. */
  readonly data: string | null;
}

export type VolumeIntentPayload =
  /**
   * `path`: directory on a file system that the hosts of the fleet share. `begun`: a worker may have
   * created it already.
   */
  | { readonly kind: 'volume.create'; readonly path: string | null; readonly begun: boolean }
  /** Find the volume that the user made. */
  | { readonly kind: 'volume.register'; readonly externalId: string }
  | { readonly kind: 'volume.delete' }
  | { readonly kind: 'volume.attach'; readonly volumeId: Id; readonly instanceId: Id }
  | {
      readonly kind: 'volume.detach';
      readonly volumeId: Id;
      readonly instanceId: Id;
      readonly force: boolean;
    };

/** `reason` of a refused `instance.terminate`, `volume.delete` or `group.delete`: the backend was removed from the project. */
export const BACKEND_MISSING = 'backend_missing';

export type IntentResult =
  | {
      readonly kind: 'instance.created';
      /** Null if no offer was chosen; the first observation then describes the machine. */
      readonly offer: Offer | null;
      readonly handle: InstanceHandle;
      /** Null until the machine is known. */
      readonly provisioningData: ProvisioningData | null;
      readonly hostId: string;
    }
  | {
      readonly kind: 'group.created';
      readonly handle: InstanceHandle;
      /** That of each machine of a compute group. */
      readonly offer: Offer | null;
    }
  | { readonly kind: 'volume.created'; readonly handle: VolumeHandle }
  /** `device`: path of the block device on the instance; null if it has none. */
  | { readonly kind: 'volume.attached'; readonly device: string | null }
  /** `message` contains the number of offers tried and up to three distinct errors. */
  | { readonly kind: 'no-capacity'; readonly message: string }
  | { readonly kind: 'ok' }
  /** The effect can never succeed: the reason for the job or instance, and a text for people. */
  | { readonly kind: 'refused'; readonly reason: string; readonly message: string };
