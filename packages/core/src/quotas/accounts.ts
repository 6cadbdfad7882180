/** Which quotas a claim is charged to. */
import { ALL_USERS, EVERY_USER, type Id, type QuotaRecord } from '../model/index.ts';

/** Who pays for a claim, and on which fleet; userId null = no user in particular, as in a plan without a user. */
export interface Payer {
  readonly projectId: Id;
  readonly userId: Id | null;
  readonly fleetId: Id;
}

/** The user whose use of the quota the claim raises, or `ALL_USERS`; null = the quota does not hold for the claim. */
export function chargedUser(
  quota: Pick<QuotaRecord, 'projectId' | 'fleetId' | 'userId'>,
  payer: Payer,
): string | null {
  if (quota.projectId !== payer.projectId) return null;
  if (quota.fleetId !== null && quota.fleetId !== payer.fleetId) return null;
  if (quota.userId === null) return ALL_USERS;
  if (payer.userId === null) return null;
  if (quota.userId === EVERY_USER) return payer.userId;
  return quota.userId === payer.userId ? ALL_USERS : null;
}
