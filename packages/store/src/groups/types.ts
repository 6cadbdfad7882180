import type { BackendType } from '@dstack/contract/wire';
import type { Id, Timestamp } from '@dstack/core';
import type { JsonObject } from '../backends/types.ts';
import type { Updated } from '../writes.ts';

/** A provider's grouping of a cluster fleet's machines. */
export interface PlacementGroupRecord {
  readonly id: Id;
  readonly projectId: Id;
  readonly fleetId: Id;
  /** Unique in the project among those that are not deleted. */
  readonly name: string;
  readonly backend: BackendType;
  readonly region: string;
  readonly configuration: JsonObject;
  readonly provisioningData: JsonObject | null;
  /** Its fleet was deleted, so the group is to be deleted. */
  readonly fleetDeleted: boolean;
  readonly createdAt: Timestamp;
  readonly deleted: boolean;
  readonly version: number;
}

/** Machines that a provider creates and removes as one. */
export interface ComputeGroupRecord {
  readonly id: Id;
  readonly projectId: Id;
  readonly fleetId: Id;
  readonly backend: BackendType;
  readonly region: string;
  readonly status: 'running' | 'terminated';
  readonly provisioningData: JsonObject;
  readonly instanceIds: readonly Id[];
  /** When its termination was first tried. */
  readonly firstTerminationAt: Timestamp | null;
  readonly createdAt: Timestamp;
  readonly deleted: boolean;
  readonly version: number;
}

export interface Groups {
  /** Not deleted. */
  placementGroups(fleetId: Id): Promise<PlacementGroupRecord[]>;
  insertPlacementGroup(group: PlacementGroupRecord): Promise<'created' | 'name-taken'>;
  updatePlacementGroup(
    id: Id,
    version: number,
    set: Partial<Omit<PlacementGroupRecord, 'id' | 'projectId' | 'version'>>,
  ): Promise<Updated>;
  /** Those whose fleet was deleted. */
  placementGroupsToDelete(): Promise<PlacementGroupRecord[]>;
  /** Not deleted. */
  computeGroups(fleetId: Id): Promise<ComputeGroupRecord[]>;
  insertComputeGroup(group: ComputeGroupRecord): Promise<void>;
  updateComputeGroup(
    id: Id,
    version: number,
    set: Partial<Omit<ComputeGroupRecord, 'id' | 'projectId' | 'version'>>,
  ): Promise<Updated>;
}
