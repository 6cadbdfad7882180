import type { Id, QuotaRecord, QuotaState } from '@dstack/core';
import type { WriteExtras } from '../base/writes.ts';
import type { SharesView } from '../shares/shares-view.ts';

/** The subject of a quota; there is at most one quota for each. */
export type QuotaPlace = Pick<QuotaRecord, 'projectId' | 'fleetId' | 'userId'>;

/** The amounts that a quota grants, and its weight. */
export type QuotaTerms = Pick<QuotaRecord, 'guaranteed' | 'limits' | 'weight'>;

/** `terms`: null = the quota is deleted. */
export interface QuotaChange {
  readonly place: QuotaPlace;
  readonly terms: QuotaTerms | null;
  readonly extras?: WriteExtras;
}

/** A quota with names for people, and with what is used of it. */
export interface QuotaView extends QuotaState {
  readonly projectName: string;
  /** The fleet's name, and the project that owns it. */
  readonly fleet: { readonly name: string; readonly projectName: string } | null;
  /** Null: no user, or each of them. */
  readonly userName: string | null;
  /** Names of the users of `used`. */
  readonly userNames: Readonly<Record<Id, string>>;
  /** Runs that wait, by user if the quota holds for each user, else under `ALL_USERS`; only where they are limited. */
  readonly waiting: Readonly<Record<string, number>>;
}

/**
 * Which projects may use how much. The claims of a project with quotas are charged to them in the transaction of the
 * claim, and released with it.
 */
export interface Quotas {
  /** Lists the quotas of these projects, null = of all, and those on fleets of `fleetOwners`, by project, fleet and user. */
  list(projectIds: readonly Id[] | null, fleetOwners?: readonly Id[]): Promise<QuotaView[]>;
  /** Without names; read by each pass of placement. */
  ofProject(projectId: Id): Promise<QuotaState[]>;
  byPlace(place: QuotaPlace): Promise<QuotaRecord | null>;
  /** Returns the usage of the pool of the project; null = it is not shared by weight. */
  shares(projectId: Id): Promise<SharesView | null>;
  /**
   * Sets or deletes quotas, all of them or none; counts what present claims use of those that are set, and has the queues
   * of their pools examined. Nothing ends that exceeds a quota. Null: a quota that should be deleted does not exist.
   */
  apply(changes: readonly QuotaChange[]): Promise<readonly (QuotaRecord | null)[]>;
  /** Counts anew what present claims use, in all projects with quotas. */
  recount(): Promise<void>;
}
