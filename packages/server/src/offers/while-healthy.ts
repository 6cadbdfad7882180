import type { Backend } from '@dstack/backends';
import { isFailing, worstHealth } from '@dstack/contract/status';
import { healthMessage } from '@dstack/core';
import type { Store } from '@dstack/store';

/**
 * The server host as a backend without new instances while it fails its health checks: they would
 * be on the same host as those that get no jobs.
 */
export function whileHealthy(
  backend: Backend,
  { store, hostId }: { readonly store: Pick<Store, 'hosts'>; readonly hostId: string },
): Backend {
  return {
    ...backend,
    offers: async (requirements) => {
      const answer = await backend.offers(requirements);
      const checks = (await store.hosts.health(hostId))?.checks ?? [];
      if (!isFailing(worstHealth(checks.map((check) => check.status)))) return answer;
      const note = `the server's machine fails its health checks (${healthMessage(checks)})`;
      return {
        offers: answer.offers.map((offer) => ({
          ...offer,
          availability: 'not_available' as const,
        })),
        notes: [...answer.notes, note],
      };
    },
  };
}
