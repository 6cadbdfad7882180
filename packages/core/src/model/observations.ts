/** Handles of what backends have created, and their reports about it. */
import type { Id, Offer, ProvisioningData, Timestamp } from './values.ts';

/** How a backend finds a volume. */
export interface VolumeHandle {
  /** The provider's id, shown as `volume_id`. */
  readonly id: string;
  readonly region: string;
  /** JSON of the adapter; nothing else reads it. */
  readonly data: string | null;
}

/** How a backend finds an instance that it has created. */
export interface InstanceHandle {
  /** The provider's id, unique within the backend. */
  readonly id: string;
  /** JSON of the adapter for its own calls; nothing else reads it. */
  readonly data: string | null;
}

/** The machine of an instance, as its backend describes it. */
export interface ObservedInstance {
  /** Null: the ordered offer is the present one. */
  readonly offer: Offer | null;
  readonly provisioningData: ProvisioningData;
  /** Null: the fleet's `blocks` decide. */
  readonly totalBlocks: number | null;
}

/** The state of an instance, as its backend reports it. Texts are for people. */
export type InstanceObservation =
  /**
   * `text`: the stage, such as `booting` or `in the queue of partition gpu`. `queued`: it waits in a queue
   * that its backend keeps.
   */
  | { readonly state: 'pending'; readonly text: string; readonly queued?: true }
  /**
   * Its agent can be reached. `machine` null: the backend describes it once the agent has reported
   * its facts.
   */
  | { readonly state: 'ready'; readonly machine: ObservedInstance | null }
  /**
   * It ends or has ended without an order of the server: its provider took it away (`spot`, also
   * for an eviction), could not start it, the kernel killed it as its job filled its memory
   * (`memory`), the fleet can never use it (`refused`), or there was no room for it (`no-room`).
   */
  | {
      readonly state: 'interrupted';
      readonly reason: 'spot' | 'failed' | 'memory' | 'refused' | 'no-room';
      readonly text: string;
    }
  | { readonly state: 'missing' };

/** The last observation of something at a backend. */
export interface ObservedState<O extends { readonly state: string }> {
  readonly observation: O;
  /** Since when `state` has its present value, and a waiting one is in a queue or not. */
  readonly since: Timestamp;
  /** When it was stored: later answers that report the same are not. */
  readonly checkedAt: Timestamp;
  /** Why the backend did not answer the last question; null = it answered. */
  readonly error: string | null;
  /** When it was due again after it was stored; null = never. */
  readonly nextPassAt: Timestamp | null;
}

/** The last observation of an instance. It changes without raising the version of the instance. */
export interface ObservationRecord extends ObservedState<InstanceObservation> {
  readonly instanceId: Id;
}
