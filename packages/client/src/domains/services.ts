import type { ServiceFigures } from '@dstack/contract/wire';
import type { Transport } from '../transport.ts';

/** Calls on the services of one project. Servers of dstack 0.22.5 have none of them. */
export function servicesOf(transport: Transport, base: string) {
  return {
    /** The requests of the last minute; only of services without a gateway. */
    state: (name: string): Promise<ServiceFigures> =>
      transport.get(`${base}/services/${encodeURIComponent(name)}/state`, {}),
  };
}
