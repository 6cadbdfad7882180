import type { Claim } from '@dstack/core';
import type { Claims } from '../base/port.ts';
import type { SimCalls, SimClock } from './calls.ts';

/** The claims that the account keeps, by server tag and claimant. */
export function simClaims(calls: Pick<SimCalls, 'answer'>, clock: Pick<SimClock, 'now'>): Claims {
  const claims = new Map<string, Map<string, Claim>>();
  return {
    read: ({ server }) => calls.answer(() => [...(claims.get(server)?.values() ?? [])]),
    renew: ({ server }, claim) =>
      calls.answer(() => {
        const known = claims.get(server) ?? new Map<string, Claim>();
        claims.set(server, known.set(claim.claimant, { ...claim, renewedAt: clock.now }));
      }),
  };
}
