import type {
  BackendName,
  FleetRecord,
  Id,
  InstanceHandle,
  InstanceRecord,
  Timestamp,
} from '@dstack/core';
import type { Page } from '../base/page.ts';
import type { HealthCheckRecord } from '../schema/work-records.ts';

export interface InstanceView {
  readonly instance: InstanceRecord;
  readonly projectName: string;
  readonly fleet: FleetRecord;
}

export interface InstanceFilter {
  /** Null = all projects that are not deleted. */
  readonly projectIds: readonly Id[] | null;
  readonly fleetIds?: readonly Id[] | null;
  /** Also instances of fleets that these projects import. */
  readonly includeImported?: boolean;
  /** Only `idle` and `busy` ones that are not deleted. */
  readonly onlyActive?: boolean;
  readonly page?: Page;
}

export interface MadeInstance {
  readonly id: Id;
  readonly handle: InstanceHandle;
}

/** Writing goes through `store.engine`. */
export interface Instances {
  list(filter: InstanceFilter): Promise<InstanceView[]>;
  /** Also deleted ones. */
  byId(id: Id): Promise<InstanceView | null>;
  byIds(ids: readonly Id[]): Promise<InstanceRecord[]>;
  /** Also deleted ones, in no order. */
  viewsByIds(ids: readonly Id[]): Promise<InstanceView[]>;
  /** Not deleted, with this `hostId`. */
  onHost(hostId: string): Promise<InstanceRecord[]>;
  /** Active ones that the backend has made, without what else is known of them. */
  madeBy(projectId: Id, backend: BackendName): Promise<MadeInstance[]>;
  /** Not deleted. */
  byNum(fleetId: Id, instanceNum: number): Promise<InstanceRecord | null>;
  /** Those of the project that are not ending and have one of these names, in no order. */
  byNames(projectId: Id, names: readonly string[]): Promise<InstanceView[]>;
  /** Newest first, bounds exclusive. */
  healthChecks(
    instanceId: Id,
    range: {
      readonly after?: Timestamp | null;
      readonly before?: Timestamp | null;
      readonly limit?: number | null;
    },
  ): Promise<HealthCheckRecord[]>;
  /** Returns how many were deleted. */
  deleteHealthChecksBefore(time: Timestamp, limit: number): Promise<number>;
}
