import type { Claim } from '@dstack/core';
import type { Claims } from '../base/port.ts';

/** A request to the simulated provider, and its clock. */
export interface SimRequests {
  readonly now: number;
  request<T>(carryOut: () => T): Promise<T>;
}

/** The claims that the account keeps, by server tag and claimant. */
export function simClaims(provider: SimRequests): Claims {
  const claims = new Map<string, Map<string, Claim>>();
  return {
    read: ({ server }) => provider.request(() => [...(claims.get(server)?.values() ?? [])]),
    renew: ({ server }, claim) =>
      provider.request(() => {
        const known = claims.get(server) ?? new Map<string, Claim>();
        claims.set(server, known.set(claim.claimant, { ...claim, renewedAt: provider.now }));
      }),
  };
}
