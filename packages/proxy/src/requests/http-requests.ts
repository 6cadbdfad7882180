import type { IncomingMessage } from 'node:http';
import type { CallerAdmission } from '../callers/caller-admission.ts';
import type { ModelStats } from '../counts/model-stats.ts';
import { failureStatus } from '../counts/request-log.ts';
import { requestTrailers } from '../head/headers.ts';
import { modelTap, type OnModelUse } from '../models/model-use.ts';
import type { Outages } from '../refusals/outages.ts';
import { bodyTooLarge } from '../refusals/refusal.ts';
import type { ConnectedReplica } from '../replicas/known-replica.ts';
import { NoAnswerInTime } from '../replicas/upstream-failure.ts';
import { type AdmittedRequest, answerOf, begun, pathOf } from './admitted-request.ts';
import { exchange, hasBody } from './exchange.ts';
import type { RequestMirror } from './mirror.ts';
import type { RequestParts } from './request-parts.ts';
import type { ForwardedRequest } from './requests.ts';
import type { ServiceProxyOptions } from './service-proxy-options.ts';
import { hasTrailers, trailingDispatcher } from './trailing-request.ts';

export interface HttpRequestsOptions
  extends RequestParts,
    Pick<ServiceProxyOptions, 'maxBody' | 'timeoutMs' | 'onModelUse'> {
  readonly callers: Pick<CallerAdmission, 'ownValues'>;
  readonly mirror: Pick<RequestMirror, 'copyOf'>;
  readonly models: Pick<ModelStats, 'add'>;
  readonly outages: Pick<Outages, 'failed'>;
}

/** Requests that may be repeated where they have been sent and not been answered. */
const REPEATABLE = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Requests of HTTP/1.1 and their answers. */
export class HttpRequests {
  readonly #options: HttpRequestsOptions;

  constructor(options: HttpRequestsOptions) {
    this.#options = options;
  }

  /** Throws `ProxyRefusal` before anything was answered; otherwise answers. */
  async forward(admitted: AdmittedRequest, forwarded: ForwardedRequest): Promise<void> {
    const ended = this.#options.log.begin(begun(admitted, forwarded));
    let jobId: string;
    try {
      jobId = await this.#forward(admitted, forwarded);
    } catch (error) {
      ended(failureStatus(error), null);
      throw error;
    }
    ended(forwarded.response.statusCode, jobId);
  }

  /** See `ServiceProxy.undelivered`. */
  async undelivered(
    admitted: AdmittedRequest,
    { request, id }: Pick<ForwardedRequest, 'request' | 'id'>,
    why: 'connection_broken' | 'timed_out',
  ): Promise<void> {
    await this.#options.log.record(begun(admitted, { request, id }), async () => {
      const text = 'nginx got no answer';
      const error = why === 'timed_out' ? new NoAnswerInTime(text) : new Error(text);
      throw await this.#options.outages.failed(admitted.route, error, admitted.route.auth);
    });
  }

  /** Returns the job of the replica that has answered. */
  async #forward(
    admitted: AdmittedRequest,
    { request, response, id }: ForwardedRequest,
  ): Promise<string> {
    const { replicas, delivery, rates, senders, mirror, models, onModelUse } = this.#options;
    const maxBody = this.#options.maxBody || Number.POSITIVE_INFINITY;
    if (Number(request.headers['content-length'] ?? 0) > maxBody) throw bodyTooLarge(maxBody);
    const { route, target } = admitted;
    if (route.rateLimits.length > 0) await rates.limit(route, target.rest, request);
    const path = pathOf(admitted);
    const headers = senders.headers(admitted, request, id);
    const answer = answerOf(admitted, request);
    const copy = mirror.copyOf(route, { request, path, headers });
    const onUse: OnModelUse = async (use) => {
      models.add(route.runId, use.tokens, use.firstMs);
      await onModelUse?.(use);
    };
    const tap = onModelUse === undefined ? null : modelTap(admitted, request, onUse);
    const order = { request, response, id, path, headers, maxBody, copy, answer, tap };
    if (!hasBody(request)) copy?.send();
    try {
      const { replica, value } = await delivery.deliver(
        route,
        { client: response, request },
        {
          isRepeatable: REPEATABLE.has(request.method ?? '') && !hasBody(request),
          isUnwanted: () => response.destroyed,
          send: (one) => {
            const onAnswer = (status: number) => replicas.answered(one, status);
            return exchange(this.#dispatcherOf(one, request), { ...order, onAnswer });
          },
        },
      );
      if (value === 'cut-off') replicas.broke(replica);
      replicas.release(replica);
      return replica.target.jobId;
    } finally {
      copy?.abandon();
    }
  }

  #dispatcherOf(replica: ConnectedReplica, request: IncomingMessage) {
    if (!hasTrailers(request)) return replica.pool;
    const { replicas, callers, timeoutMs } = this.#options;
    return trailingDispatcher({
      ...{ request, timeoutMs },
      open: () => replicas.open(replica),
      trailers: async () => {
        const { rawTrailers: rawHeaders } = request;
        const own = await callers.ownValues({ headers: {}, rawHeaders }, '', null);
        return requestTrailers(rawHeaders, own);
      },
    });
  }
}
