/**
 * Building blocks of records: instants, ids, and the wire's parts under the server's names of
 * backends.
 */
import type {
  BackendType,
  InstanceOfferWithAvailability,
  JobProvisioningData as WireJobProvisioningData,
  JobRuntimeData as WireJobRuntimeData,
} from '@dstack/contract/wire';

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
  /** Clients cannot reach the machine: the server's SSH entry is the only way to its jobs. */
  readonly entry_only?: boolean;
};
export type RuntimeData = Omit<WireJobRuntimeData, 'offer'> & { readonly offer: Offer | null };

/** Microseconds in a second; instants plus durations are written `now + 5 * SECOND`. */
export const SECOND = 1_000_000;
