import { type IncomingMessage, ServerResponse } from 'node:http';
import type { ClientConnection } from '../callers/callers.ts';
import type { LoadMeter } from '../counts/load-meter.ts';
import type { Traffic } from '../counts/traffic.ts';
import { keyValue } from '../policy/rate-limits.ts';
import type { Outages } from '../refusals/outages.ts';
import { ProxyRefusal } from '../refusals/refusal.ts';
import type { ReplicaConnections } from '../replicas/replica-connections.ts';
import type { ServiceRoute } from '../routes/service-route.ts';
import { type Delivered, type Delivery, NoReplica, type Order, Undelivered } from './delivery.ts';
import type { RequestSenders } from './request-senders.ts';
import type { WaitingRequests } from './waiting-requests.ts';

export interface ServiceDeliveryOptions {
  readonly replicas: Pick<ReplicaConnections, 'some'>;
  readonly delivery: Delivery;
  readonly waiting: Pick<WaitingRequests, 'firstReplica'>;
  readonly outages: Pick<Outages, 'noReplica' | 'failed'>;
  readonly traffic: Pick<Traffic, 'count'>;
  readonly load: Pick<LoadMeter, 'begin'>;
  readonly senders: Pick<RequestSenders, 'networkOf'>;
}

/** The client whose request is delivered. */
interface Asker {
  readonly client: ClientConnection;
  readonly request: IncomingMessage;
}

/** Delivers a request to a service: counted as its demand, held until it has a replica, refused with the cause. */
export class ServiceDelivery {
  readonly #options: ServiceDeliveryOptions;

  constructor(options: ServiceDeliveryOptions) {
    this.#options = options;
  }

  /** Counts the request, waits for a replica if needed, and delivers it. Throws `ProxyRefusal`. */
  async deliver<T>(
    route: ServiceRoute,
    { client, request }: Asker,
    order: Omit<Order<T>, 'route' | 'affinity'>,
  ): Promise<Delivered<T>> {
    const { replicas, delivery, waiting, outages, traffic, senders } = this.#options;
    const { affinity: key } = route;
    const affinity = key === null ? null : keyValue(key, request, senders.networkOf(request));
    const isWaiting = !replicas.some(route.replicas);
    if (route.scaled) traffic.count(route.runId, isWaiting);
    if (route.metered) this.#measure(route, client, isWaiting);
    const holds = isWaiting && route.mayBeEmpty;
    const awake = holds ? await waiting.firstReplica(route, client) : route;
    try {
      if (awake === null) throw new NoReplica();
      return await delivery.deliver({ ...order, affinity, route: awake });
    } catch (error) {
      if (error instanceof NoReplica) throw await outages.noReplica(route, route.auth);
      if (!(error instanceof Undelivered)) throw error;
      if (error.cause instanceof ProxyRefusal) throw error.cause;
      throw await outages.failed(route, error.cause, route.auth);
    }
  }

  /** A wake-up is no latency of the app, and a WebSocket has none. */
  #measure({ runId }: ServiceRoute, client: ClientConnection, isWaiting: boolean): void {
    // It would never be closed again.
    if (client.destroyed) return;
    const isLatency = !isWaiting && client instanceof ServerResponse;
    client.once('close', this.#options.load.begin(runId, isLatency));
  }
}
