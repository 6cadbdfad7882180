import type { Backend } from '@dstack/backends';
import { isFailing, worstHealth } from '@dstack/core';
import type { Store } from '@dstack/store';

/**
 * The server's machine as a backend, without room for new instances while its host fails its health
 * checks: they would be on the same machine as those that get no jobs.
 */
export function whileHealthy(
  backend: Backend,
  { store, hostId }: { readonly store: Pick<Store, 'hosts'>; readonly hostId: string },
): Backend {
  return {
    ...backend,
    offers: async (requirements) => {
      const offers = await backend.offers(requirements);
      const checks = (await store.hosts.health(hostId))?.checks ?? [];
      if (!isFailing(worstHealth(checks.map((check) => check.status)))) return offers;
      return offers.map((offer) => ({ ...offer, availability: 'not_available' as const }));
    },
  };
}
