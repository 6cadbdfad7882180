/**
 * Claims distinguish installations with the same server tag. A copied or restored database has the
 * tag of the original, so resources that the other one has created look like orphans. Therefore
 * each installation renews a claim in the account, and only an installation without a rival ends
 * anything.
 *
 * A renewal replaces the claim's nonce, and the database keeps the nonces that it has written.
 * After a database was copied, original and copy write different nonces. An installation that reads
 * an unknown nonce under its own name has found a double.
 */
import type { Id, Timestamp } from '../model/index.ts';
import { SECOND } from '../model/values.ts';

export interface Claim {
  /** The id that the claiming installation has chosen for itself. */
  readonly claimant: string;
  /** Different with each renewal. */
  readonly nonce: string;
  readonly renewedAt: Timestamp;
  /**
   * How long ago that was by the clock that wrote `renewedAt`, in µs, so that no other clock decides whether
   * it has expired. Omitted: not known.
   */
  readonly age?: number;
}

/** A claim expires after this time without a renewal. */
export const CLAIM_LIFETIME = 7 * 86_400 * SECOND;

/**
 * How long this process must have watched the claims without a rival. An original and its copy both
 * renew hourly, so each reads the other's renewal in this time.
 */
export const CLAIM_WATCH = 3 * 3600 * SECOND;

/** Enough for renewals of which only the database or only the account has the latest. */
const KEPT_NONCES = 8;

export interface ClaimVerdict {
  /**
   * The name under which to renew the claim: a new one if another installation uses the present
   * one.
   */
  readonly claimant: string;
  /** Claims of other installations that have not expired. */
  readonly rivals: readonly Claim[];
  /** This installation has claimed before, and none of its claims was read: the list may be incomplete. */
  readonly isOwnMissing: boolean;
}

export function judgeClaims(
  own: { readonly claimant: string; readonly nonces: ReadonlySet<string> },
  claims: readonly Claim[],
  { now, newId }: { readonly now: Timestamp; readonly newId: () => Id },
): ClaimVerdict {
  const others = claims.filter(({ nonce }) => !own.nonces.has(nonce));
  const isDoubled = others.some(({ claimant }) => claimant === own.claimant);
  return {
    claimant: isDoubled ? newId() : own.claimant,
    rivals: others.filter(({ renewedAt, age = now - renewedAt }) => age < CLAIM_LIFETIME),
    isOwnMissing: own.nonces.size > 0 && others.length === claims.length,
  };
}

export function withNonce(nonces: readonly string[], nonce: string): string[] {
  return [nonce, ...nonces].slice(0, KEPT_NONCES);
}

/**
 * Since when this process sees no rival; null = it sees one. Only time that has passed evenly counts: after a
 * step of the clock, no installation has renewed its claim in the time that is missing.
 */
export function soleSince(
  before: Timestamp | null,
  { rivals, isOwnMissing = false }: Pick<ClaimVerdict, 'rivals'> & Partial<ClaimVerdict>,
  now: Timestamp,
  steadySince: Timestamp | null = null,
): Timestamp | null {
  if (rivals.length > 0) return null;
  return isOwnMissing ? now : evenSince(before ?? now, now, steadySince);
}

/** From when the time until `now` can be counted: a step of the clock after `since` would lengthen it. */
export function evenSince(
  since: Timestamp,
  now: Timestamp,
  steadySince: Timestamp | null,
): Timestamp {
  return steadySince !== null && (since < steadySince || since > now) ? steadySince : since;
}

/** Why orphans are not ended, for people; null = they may be ended. */
export function hindranceOf(
  { rivals }: Pick<ClaimVerdict, 'rivals'>,
  since: Timestamp | null,
  now: Timestamp,
): string | null {
  const latest = Math.max(...rivals.map(({ renewedAt }) => renewedAt));
  if (rivals.length > 0) {
    const days = CLAIM_LIFETIME / SECOND / 86_400;
    const seen = new Date(Math.floor(latest / 1000)).toISOString();
    return `another installation with this server's tag has claimed the account, last at ${seen}; its claim expires ${days} days after that`;
  }
  if (since !== null && now - since >= CLAIM_WATCH) return null;
  const hours = CLAIM_WATCH / SECOND / 3600;
  return `this server has to hold the only claim on the account for ${hours} hours first`;
}
