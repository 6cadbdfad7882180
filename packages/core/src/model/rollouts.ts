import type { RolloutStatus } from '@dstack/contract/status';
import type { RunSpec, ServiceSpec } from '@dstack/contract/wire';
import type { Timestamp } from './values.ts';

/** A version of a service to which it can return. */
export interface DeployedVersion {
  readonly deploymentNum: number;
  readonly spec: RunSpec;
  readonly serviceSpec: ServiceSpec | null;
}

/** How far the replacement of a service's replicas has come. */
export interface RolloutRecord {
  /** The deployment that replaces the others. */
  readonly deploymentNum: number;
  readonly status: RolloutStatus;
  /** The last version that was complete; after a rollback the one that was not. */
  readonly previous: DeployedVersion | null;
  /** Replicas of the deployment that have proved to work. */
  readonly ready: number;
  /** When `ready` rose last; null = never. */
  readonly progressAt: Timestamp | null;
  /** The canaries have been accepted, or there are none. */
  readonly promoted: boolean;
  /** Why it was rolled back. */
  readonly message: string | null;
}
