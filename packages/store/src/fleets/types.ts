import type { FleetRecord, Id, InstanceRecord } from '@dstack/core';
import type { Page } from '../base/page.ts';

export interface FleetView {
  readonly fleet: FleetRecord;
  readonly projectName: string;
  /** Not deleted, by `instanceNum`. */
  readonly instances: readonly InstanceRecord[];
}

export interface FleetFilter {
  /** Null = all projects that are not deleted. */
  readonly projectIds: readonly Id[] | null;
  /** Also the fleets that these projects import. */
  readonly includeImported?: boolean;
  /** Leave deleted ones out. */
  readonly onlyActive?: boolean;
  readonly page?: Page;
}

/** The reasons that prevent the deletion of a fleet. */
export interface FleetInUse {
  /** Unfinished runs, the oldest first: those placed in the fleet, and those with jobs on its instances. */
  readonly runs: readonly { readonly name: string; readonly projectId: Id }[];
  /** Instances with busy blocks, and placeholders. */
  readonly busyInstances: readonly Id[];
}

/** Writing goes through `store.engine`. */
export interface Fleets {
  list(filter: FleetFilter): Promise<FleetView[]>;
  /** Also deleted ones. */
  byId(id: Id): Promise<FleetView | null>;
  /** Also deleted ones. Without their instances, of which there may be thousands. */
  recordById(id: Id): Promise<FleetRecord | null>;
  /** Also deleted ones, in no order. */
  viewsByIds(ids: readonly Id[]): Promise<FleetView[]>;
  /** Not deleted. */
  byName(projectId: Id, name: string): Promise<FleetView | null>;
  byNames(projectId: Id, names: readonly string[]): Promise<FleetView[]>;
  use(fleetId: Id): Promise<FleetInUse>;
  /** SSH fleets of all projects that are not deleted: no host may be in two. */
  sshFleets(): Promise<FleetRecord[]>;
}
