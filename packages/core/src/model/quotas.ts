/** The amounts that projects and users may use of shared capacity, and the amounts that their jobs use. */
import type { QuotaGuarantee, QuotaLimit } from '@dstack/contract/wire';
import type { ShareCharge } from './shares.ts';
import type { Id, Timestamp } from './values.ts';

/**
 * Whole numbers by resource, so that sums stay exact: `gpu`, `gpu:<name in small letters>`, `cpu` (thousandths),
 * `memory` (MiB), `instances` (millionths), `cost` (micro-dollars per hour). Absent = 0.
 */
export type Amounts = Readonly<Record<string, number>>;

/** The amounts that the claim of a job uses of quotas and shares, at the time of the claim. */
export interface ChargeRecord {
  readonly userId: Id;
  readonly fleetId: Id;
  /** When the capacity was claimed. */
  readonly claimedAt: Timestamp;
  readonly amounts: Amounts;
  /** Omitted = its pool was not shared by weight at the time. */
  readonly share?: ShareCharge;
}

/** Each user of the project by himself. */
export const EVERY_USER = '*';

/** A quota limits the jobs of a project, on one fleet or on all, of one user, of each user or of all together. */
export interface QuotaRecord {
  readonly id: Id;
  readonly projectId: Id;
  /** Null: on all fleets. */
  readonly fleetId: Id | null;
  /** `EVERY_USER`; null = all users together. */
  readonly userId: Id | typeof EVERY_USER | null;
  readonly guaranteed: QuotaGuarantee | null;
  readonly limits: QuotaLimit | null;
  readonly weight: number | null;
}

/** A quota with what present claims use of it: by user if it holds for each user, else under `ALL_USERS`. */
export interface QuotaState {
  readonly quota: QuotaRecord;
  readonly used: Readonly<Record<string, Amounts>>;
}

export const ALL_USERS = '';
