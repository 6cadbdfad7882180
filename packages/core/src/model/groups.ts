/** Groups of machines in a cloud. */
import type { GroupStatus } from '@dstack/contract/status';
import type { IntentRecord } from './intents.ts';
import type { InstanceHandle } from './observations.ts';
import type { FleetRecord, InstanceRecord } from './records.ts';
import type { BackendName, Id, Offer, Timestamp } from './values.ts';

export interface GroupRecord {
  readonly id: Id;
  readonly projectId: Id;
  readonly fleetId: Id;
  /**
   * `placement`: puts the machines of a cluster close to each other. `compute`: the machines of a
   * gang are ordered, and end, together.
   */
  readonly kind: 'placement' | 'compute';
  /** Unique at the provider: `<project>-<fleet>-<start of the id>`. */
  readonly name: string;
  /** Null while no offer has been taken yet (compute groups; `region` is then empty). */
  readonly backend: BackendName | null;
  readonly region: string;
  readonly status: GroupStatus;
  readonly statusMessage: string | null;
  /** How its backend finds it; null before it is created. */
  readonly handle: InstanceHandle | null;
  /** Offer for each machine of a compute group; null for placement groups, and until an offer was taken. */
  readonly offer: Offer | null;
  /** The instances of a compute group, by rank. */
  readonly memberIds: readonly Id[];
  readonly createdAt: Timestamp;
  readonly statusChangedAt: Timestamp;
  readonly nextPassAt: Timestamp | null;
  readonly deleted: boolean;
  readonly version: number;
}

/** A group with all records that decide its next step. */
export interface GroupSnapshot {
  readonly group: GroupRecord;
  readonly fleet: FleetRecord;
  /** All instances of its fleet that are not deleted. */
  readonly instances: readonly InstanceRecord[];
  /** Intents of the group, and the orders of instances of its fleet that are still to be created. */
  readonly intents: readonly IntentRecord[];
}
