import type { AccessRecord, ServiceFigures } from '@dstack/contract/wire';
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
    /**
     * Requests that have ended: the latest ones, and with `follow` those that come. The stream ends when
     * the server closes it.
     */
    async *access(
      name: string,
      { follow }: { readonly follow: boolean },
      signal: AbortSignal,
    ): AsyncGenerator<AccessMessage, void> {
      const path = `${base}/services/${encodeURIComponent(name)}/access`;
      for await (const { event, data } of transport.events(
        path,
        { follow: String(follow) },
        signal,
      )) {
        if (event === 'requests') yield { kind: 'requests', requests: JSON.parse(data) };
        if (event === 'skipped') yield { kind: 'skipped', count: Number(data) };
      }
    },
  };
}
