/**
 * The changes of a decision. `store.apply(changes)` writes all of them in one transaction or none:
 * each update names the version that it is based on, and one stale version refuses all of them (the
 * pass then runs again on the present state). Events are written in the given order.
 */
import type { EventAction, EventData, EventOutcome } from '@dstack/contract/wire';
import type { ArrayPatch } from './arrays.ts';
import type { EndOutcome } from './dependencies.ts';
import type { GroupRecord } from './groups.ts';
import type { IntentRecord } from './intents.ts';
import type { PricedInterval } from './ledger.ts';
import type { FleetRecord, InstanceRecord, JobRecord, RunRecord } from './records.ts';
import type { GatewayRecord, GatewayReplicaRecord } from './resources.ts';
import type { Id, Timestamp } from './values.ts';
import type { AttachmentRecord, VolumeRecord, VolumeUseRecord } from './volumes.ts';

type Patch<T> = Partial<Omit<T, 'id' | 'version' | 'projectId'>>;

export type Change =
  | {
      readonly type: 'run.update';
      readonly id: Id;
      readonly version: number;
      readonly set: Patch<RunRecord>;
    }
  /** A member of an array. */
  | { readonly type: 'run.insert'; readonly run: RunRecord }
  /** Guarded by an update of the array's run in the same decision. */
  | {
      readonly type: 'array.update';
      readonly id: Id;
      readonly set: ArrayPatch;
    }
  /** The run has ended, or an execution of its schedule: those that depend on it get a pass. */
  | { readonly type: 'run.outcome'; readonly id: Id; readonly outcome: EndOutcome }
  | { readonly type: 'job.insert'; readonly job: JobRecord }
  | {
      readonly type: 'job.update';
      readonly id: Id;
      readonly version: number;
      readonly set: Patch<JobRecord>;
    }
  /** Only for superseded submissions (`reconcile/submit-jobs`). */
  | { readonly type: 'job.delete'; readonly id: Id; readonly version: number }
  | { readonly type: 'instance.insert'; readonly instance: InstanceRecord }
  | {
      readonly type: 'instance.update';
      readonly id: Id;
      readonly version: number;
      readonly set: Patch<InstanceRecord>;
    }
  /** Only for placeholders that never got a machine. */
  | { readonly type: 'instance.delete'; readonly id: Id; readonly version: number }
  | {
      readonly type: 'fleet.update';
      readonly id: Id;
      readonly version: number;
      readonly set: Patch<FleetRecord>;
    }
  /**
   * Writes nothing. The decision holds only while the fleet is as it was read: the decision
   * allocates capacity of a fleet that may be deleted or resized meanwhile.
   */
  | { readonly type: 'fleet.check'; readonly id: Id; readonly version: number }
  /** Writes nothing. The decision holds only while the instance is as it was read. */
  | { readonly type: 'instance.check'; readonly id: Id; readonly version: number }
  /** Writes nothing. The decision holds only while the run has this priority, whatever else of it changes. */
  | { readonly type: 'run.check'; readonly id: Id; readonly priority: number }
  /** No project gained or lost the use of a fleet of the pool meanwhile. */
  | { readonly type: 'pool.check'; readonly id: Id; readonly version: number }
  /**
   * Writes nothing. The decision holds only while the `local` backend is as it was read: its slots
   * and GPUs belong to no fleet, so several projects may allocate them at the same time.
   */
  | { readonly type: 'local.check'; readonly hostId: string; readonly state: string }
  | { readonly type: 'group.insert'; readonly group: GroupRecord }
  | {
      readonly type: 'group.update';
      readonly id: Id;
      readonly version: number;
      readonly set: Patch<GroupRecord>;
    }
  | {
      readonly type: 'volume.update';
      readonly id: Id;
      readonly version: number;
      readonly set: Patch<VolumeRecord>;
    }
  | { readonly type: 'attachment.insert'; readonly attachment: AttachmentRecord }
  | {
      readonly type: 'attachment.update';
      readonly id: Id;
      readonly version: number;
      readonly set: Patch<AttachmentRecord>;
    }
  | { readonly type: 'attachment.delete'; readonly id: Id; readonly version: number }
  | { readonly type: 'volume-use.insert'; readonly use: VolumeUseRecord }
  /** All volumes of the job may be detached. */
  | { readonly type: 'volume-use.release'; readonly jobId: Id; readonly at: Timestamp }
  | { readonly type: 'volume-use.delete'; readonly jobId: Id }
  | {
      readonly type: 'gateway.update';
      readonly id: Id;
      readonly version: number;
      readonly set: Patch<GatewayRecord>;
    }
  | { readonly type: 'gateway-replica.insert'; readonly replica: GatewayReplicaRecord }
  | {
      readonly type: 'gateway-replica.update';
      readonly id: Id;
      readonly version: number;
      readonly set: Patch<GatewayReplicaRecord>;
    }
  /** Guarded by its previous value: projects have no version. */
  | {
      readonly type: 'project.default-gateway';
      readonly id: Id;
      readonly from: Id | null;
      readonly to: Id | null;
    }
  | { readonly type: 'intent.insert'; readonly intent: IntentRecord }
  /**
   * Cancels announced effects on a job that are no longer needed (a stop of a job that has ended).
   * An effect that no worker has begun will not happen; one under way still may. `instance.create`
   * is never cancelled: its result may be the only record of a machine that costs money.
   */
  | { readonly type: 'intent.cancel'; readonly key: string }
  /** Enters what has been paid for. */
  | { readonly type: 'ledger.append'; readonly interval: PricedInterval }
  /**
   * Another price holds for the instance from `at` on: enters what it and its jobs have cost up to then. Guarded by an update
   * of the instance in the same decision; `instance` is the record before it.
   */
  | {
      readonly type: 'ledger.reprice';
      readonly instance: InstanceRecord;
      readonly at: Timestamp;
    }
  | { readonly type: 'event'; readonly event: NewEvent };

export type EventTargetKind =
  | 'project'
  | 'user'
  | 'fleet'
  | 'instance'
  | 'run'
  | 'job'
  | 'volume'
  | 'gateway'
  | 'gateway-replica'
  | 'secret';

/** `parentId`: run of a job, fleet of an instance, gateway of a replica (for `within_*` filters). */
export interface EventTargetRecord {
  readonly type: EventTargetKind;
  readonly id: Id;
  readonly name: string;
  readonly projectId: Id | null;
  readonly parentId: Id | null;
}

/** Who requested a change: a user, by a token of a program or not. */
export interface EventActor {
  readonly userId: Id;
  /** The token of a program or a job that acts for the user; null = the user's own credentials. */
  readonly token: { readonly id: Id; readonly name: string } | null;
  /** IP address of the request; null = it is not known. */
  readonly address: string | null;
}

/**
 * Made by `recordEvent`. The store sets the id and `recorded_at`, which rises strictly, and renders the
 * text. Actor null = the server.
 */
export type NewEvent = {
  readonly [A in EventAction]: EventOf<A>;
}[EventAction];

interface EventOf<A extends EventAction> {
  readonly action: A;
  readonly data: EventData[A];
  readonly outcome: EventOutcome;
  readonly actor: EventActor | null;
  readonly targets: readonly EventTargetRecord[];
}

/** Work for a loop: a key, never the event itself. */
export interface Signal {
  readonly kind: WorkKind;
  /**
   * Id of the record; instance id for `observation`; volume id for `volume-observation`; project id
   * for `placement`; pool id for `pool`; intent key for `intent`; for `capacity` the text of the
   * freed capacity (`freedCapacity`).
   */
  readonly id: string;
}

/**
 * `placement` (new work of a project) and `capacity` (freed) find the pools that they concern; `pool`
 * is the pass over a pool's queue.
 */
export type WorkKind =
  | 'run'
  | 'placement'
  | 'capacity'
  | 'pool'
  | 'instance'
  | 'observation'
  | 'fleet'
  | 'volume'
  | 'volume-observation'
  | 'gateway'
  | 'group'
  | 'intent';

/** A decision: the changes, the signals, and one line for the log. */
export interface Decision {
  readonly changes: readonly Change[];
  readonly signals: readonly Signal[];
  /** Counts and reasons, for one structured log line. */
  readonly summary: Readonly<Record<string, unknown>>;
  /** Problems that an operator has to solve, for the error log. */
  readonly alarms?: readonly string[];
  /** When the pass is due again, for kinds of work without a row of their own (`placement`). */
  readonly again?: Timestamp | null;
}
