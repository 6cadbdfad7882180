import type { RequestLog } from '../counts/request-log.ts';
import type { ReplicaConnections } from '../replicas/replica-connections.ts';
import type { RequestRates } from './request-rates.ts';
import type { RequestSenders } from './request-senders.ts';
import type { ServiceDelivery } from './service-delivery.ts';

/** Parts that requests of every kind need, made once for the whole proxy. */
export interface RequestParts {
  readonly replicas: Pick<ReplicaConnections, 'open' | 'answered' | 'broke' | 'release'>;
  readonly delivery: Pick<ServiceDelivery, 'deliver'>;
  readonly rates: Pick<RequestRates, 'limit'>;
  readonly senders: Pick<RequestSenders, 'headers'>;
  readonly log: RequestLog;
}
