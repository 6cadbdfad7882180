import type { IncomingMessage } from 'node:http';
import { RateBuckets } from '../policy/rate-buckets.ts';
import { limitOf, rateExceeded, rateKey, type TakeRate } from '../policy/rate-limits.ts';
import type { ServiceRoute } from '../routes/service-route.ts';
import type { RequestSenders } from './request-senders.ts';
import type { ServiceProxyOptions } from './service-proxy-options.ts';

type RateOptions = Pick<ServiceProxyOptions, 'services' | 'shared' | 'now' | 'takeRate'>;

/** Refuses requests beyond the rate limits of their services. */
export class RequestRates {
  readonly take: TakeRate;
  readonly #senders: Pick<RequestSenders, 'networkOf'>;

  constructor(
    { services, shared, now, takeRate }: RateOptions,
    senders: Pick<RequestSenders, 'networkOf'>,
  ) {
    const shareRate: TakeRate = (key, rate) => services.takeRate(key, rate, now());
    this.take = takeRate ?? (shared ? shareRate : new RateBuckets(() => now() / 1000).take);
    this.#senders = senders;
  }

  /** Throws `ProxyRefusal`. Counts only requests of callers who may use the service. */
  async limit(route: ServiceRoute, path: string, request: IncomingMessage): Promise<void> {
    const limit = limitOf(route.rateLimits, path);
    if (limit === null) return;
    const address = this.#senders.networkOf(request);
    const key = rateKey({ runId: route.runId, limit, request, address });
    const wait = key === null ? 0 : await this.take(key, limit, route.runId);
    if (wait > 0) throw rateExceeded(limit, wait);
  }
}
