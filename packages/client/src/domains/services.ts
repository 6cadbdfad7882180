import type {
  AccessRecord,
  ServiceFigures,
  ServiceTraffic,
  ServiceTrafficList,
} from '@dstack/contract/wire';
import { NotFoundError } from '../errors.ts';
import { RecentRecords } from '../recent-records.ts';
import { reopening } from '../reopening.ts';
import type { Transport } from '../transport.ts';

/** `skipped`: requests that are missing before the next ones. */
export type AccessMessage =
  | { readonly kind: 'requests'; readonly requests: readonly AccessRecord[] }
  | { readonly kind: 'skipped'; readonly count: number };

/** Calls on the services of one project. Servers of dstack 0.22.5 have none of them. */
export function servicesOf(transport: Transport, base: string) {
  return {
    /** The requests of the last minute; only of services without a gateway. */
    state: (name: string): Promise<ServiceFigures> =>
      transport.get(`${base}/services/${encodeURIComponent(name)}/state`, {}),
    /** The requests of the last minute, by all servers and the gateway. */
    traffic: (name: string): Promise<ServiceTraffic> =>
      transport.get(`${base}/services/${encodeURIComponent(name)}/traffic`, {}),
    /** The same of several services (see `MOST_TRAFFIC_SERVICES`), without their replicas. */
    listTraffic: (names: readonly string[]): Promise<ServiceTrafficList> =>
      transport.read(`${base}/services/traffic/list`, { run_names: names }),
    /**
     * Requests that have ended: the latest ones, and with `follow` those that come, over restarts of the
     * server too, until the service has ended.
     */
    async *access(
      name: string,
      { follow }: { readonly follow: boolean },
      signal: AbortSignal,
    ): AsyncGenerator<AccessMessage, void> {
      const path = `${base}/services/${encodeURIComponent(name)}/access`;
      const open = () => transport.events(path, { follow: String(follow) }, signal);
      // Each connection begins with the requests that the server still keeps.
      const recent = new RecentRecords();
      let isFirst = true;
      try {
        for await (const { event, data } of follow
          ? reopening(open, transport.wait, signal)
          : open()) {
          if (event === 'skipped') yield { kind: 'skipped', count: Number(data) };
          if (event !== 'requests') continue;
          const requests = recent.newOnes<AccessRecord>(JSON.parse(data));
          if (isFirst || requests.length > 0) yield { kind: 'requests', requests };
          isFirst = false;
        }
      } catch (error) {
        if (isFirst || !(error instanceof NotFoundError)) throw error;
      }
    },
  };
}
