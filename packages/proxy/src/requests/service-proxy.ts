import { randomUUID } from 'node:crypto';
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Dispatcher } from 'undici';
import { CallerAdmission } from '../callers/caller-admission.ts';
import type { ClientConnection } from '../callers/callers.ts';
import type { AccessPage } from '../counts/access-records.ts';
import { LoadMeter } from '../counts/load-meter.ts';
import { ModelStats } from '../counts/model-stats.ts';
import {
  type CountedService,
  NO_OTHER_FIGURES,
  type ProxiedService,
  ProxyFigures,
} from '../counts/proxy-figures.ts';
import { failureStatus, RequestLog } from '../counts/request-log.ts';
import { Traffic } from '../counts/traffic.ts';
import { networkOf } from '../head/client-network.ts';
import { withoutParameters } from '../head/credential-places.ts';
import { clientAddress, type Sender } from '../head/forwarded.ts';
import { requestHeaders, requestTrailers } from '../head/headers.ts';
import { modelTap, type OnModelUse } from '../models/model-use.ts';
import { RateBuckets } from '../policy/rate-buckets.ts';
import { keyValue, limitOf, rateExceeded, rateKey, type TakeRate } from '../policy/rate-limits.ts';
import { isServerError } from '../policy/replica-record.ts';
import { RequestStats } from '../policy/service-stats.ts';
import { Outages } from '../refusals/outages.ts';
import {
  bodyTooLarge,
  ProxyRefusal,
  type ServiceName,
  serviceNotFound,
} from '../refusals/refusal.ts';
import type { ConnectedReplica } from '../replicas/known-replica.ts';
import { ReplicaConnections } from '../replicas/replica-connections.ts';
import { ConnectFailure, NoAnswerInTime } from '../replicas/upstream-failure.ts';
import type { ServiceRoute } from '../routes/service-route.ts';
import { ServiceRoutes } from '../routes/service-routes.ts';
import type { ServiceTarget } from '../routes/service-target.ts';
import { type AdmittedRequest, answerOf, begun, checkRequest, pathOf } from './admitted-request.ts';
import { type Delivered, Delivery, NoReplica, type Order, Undelivered } from './delivery.ts';
import { exchange, hasBody } from './exchange.ts';
import { sendCall } from './grpc/call.ts';
import { CallBody } from './grpc/call-body.ts';
import { copyBody, RequestMirror } from './mirror.ts';
import type { CalledRequest, ForwardedRequest, Question, UpgradedRequest } from './requests.ts';
import type { ServiceProxyOptions } from './service-proxy-options.ts';
import { hasTrailers, trailingDispatcher } from './trailing-request.ts';
import { askUpgrade } from './upgrade.ts';
import { WaitingRequests } from './waiting-requests.ts';
import { GOING_AWAY, type JoinedSocket, POLICY_VIOLATION } from './web-socket.ts';

/** The client whose request is delivered. */
interface Asker {
  readonly client: ClientConnection;
  readonly request: IncomingMessage;
}

/** How long a route is used without being read again, in milliseconds; own changes invalidate it. */
const TTL_SHARED = 1000;
const TTL = 30_000;
const COUNTS_MS = 1000;

/** Requests that may be repeated where they have been sent and not been answered. */
const REPEATABLE = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Sends requests to the replicas of services that have no gateway. */
export class ServiceProxy {
  readonly #options: ServiceProxyOptions;
  readonly #routes: ServiceRoutes;
  readonly #replicas: ReplicaConnections;
  readonly #delivery: Delivery;
  readonly #waiting: WaitingRequests;
  readonly #outages: Outages;
  readonly #traffic: Traffic;
  readonly #load: LoadMeter;
  readonly #callers: CallerAdmission;
  readonly #joined = new Map<ClientConnection, JoinedSocket>();
  readonly #takeRate: TakeRate;
  readonly #log: RequestLog;
  readonly #figures: ProxyFigures;
  readonly #mirror: RequestMirror;
  readonly #models: ModelStats;
  #isClosed = false;

  constructor(options: ServiceProxyOptions) {
    const { services, readOutage, open, timeoutMs, shared, now, log } = options;
    this.#options = options;
    const replicas = new ReplicaConnections({
      ...{ open, timeoutMs, now: () => now() / 1000 },
      onEjected: (ejected) => {
        const { runId, jobId, why, ms } = ejected;
        const text = 'a replica answers with errors: it is avoided';
        log.warn({ run: runId, job: jobId, ...why, ms }, text);
        options.onEjected?.(ejected);
      },
    });
    const routes = new ServiceRoutes({
      services,
      ttlMs: shared ? TTL_SHARED : TTL,
      now: () => now() / 1000,
      wants: (runId) => replicas.holds(runId),
      onRoute: (route) => replicas.keepOnly(route.runId, route.replicas),
    });
    const cutOff = (client: ClientConnection) => this.#cutOff(client);
    this.#callers = new CallerAdmission({ ...options, cutOff });
    this.#replicas = replicas;
    this.#routes = routes;
    this.#outages = new Outages(readOutage);
    this.#waiting = new WaitingRequests({
      ...{ routes, replicas, most: options.maxHeld, processes: options.processes ?? 1 },
      lacksCapacity: (route) => this.#outages.lacksCapacity(route),
    });
    const shareRate: TakeRate = (key, rate) => services.takeRate(key, rate, now());
    this.#takeRate =
      options.takeRate ?? (shared ? shareRate : new RateBuckets(() => now() / 1000).take);
    const stats = new RequestStats(() => now() / 1000);
    this.#log = new RequestLog({
      stats,
      addressOf: (request) => clientAddress(request.rawHeaders, this.#sender(request)),
      onEnded: options.onEnded ?? (() => {}),
    });
    const mirrored = new RequestStats(() => now() / 1000);
    this.#mirror = new RequestMirror({
      ...{ routes, replicas, stats: mirrored, now: () => now() / 1000 },
      onDemand: ({ runId, scaled, metered }) => {
        if (scaled) this.#traffic.count(runId, false);
        return metered ? this.#load.begin(runId, false) : () => {};
      },
    });
    const models = new ModelStats(() => now() / 1000);
    this.#models = models;
    this.#figures = new ProxyFigures({
      ...{ stats, mirrored, models, replicas, waiting: this.#waiting },
      find: (name) => this.find(name),
      others: options.figuresElsewhere ?? NO_OTHER_FIGURES,
    });
    this.#traffic = new Traffic({
      ...{ services, owner: randomUUID(), now, log },
      everyMs: options.countsEveryMs ?? (() => COUNTS_MS),
    });
    this.#load = new LoadMeter({ services, owner: randomUUID(), now, log });
    this.#delivery = new Delivery({
      replicas,
      current: ({ projectName, runName }) => routes.find(projectName, runName),
      now: () => now() / 1000,
      ...(options.returnsUntil && { returnsUntil: options.returnsUntil }),
      onFailure: ({ projectName, runName }, { target }, error) => {
        const service = `${projectName}/${runName}`;
        log.debug({ service, job: target.jobId, err: error }, 'a replica did not answer');
      },
    });
  }

  /** The run has changed. */
  changed(runId: string): void {
    this.#routes.changed(runId);
  }

  /** See `ReplicaConnections.leave`. */
  leave(jobId: string, whenIdle: () => void): boolean {
    return this.#replicas.leave(jobId, whenIdle);
  }

  /** See `ReplicaConnections.pending`. */
  pending(runId: string): number {
    return this.#replicas.pending(runId);
  }

  /** Refuses requests that wait for a replica, and closes WebSockets. */
  giveUp(): void {
    this.#waiting.close();
    for (const joined of this.#joined.values()) joined.end(GOING_AWAY);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const joined of this.#joined.values()) joined.destroy();
    this.#waiting.close();
    this.#replicas.close();
    await this.#traffic.close();
    await this.#load.close();
  }

  /** The present route of a service; null if it does not exist any more. */
  find({ projectName, runName }: ServiceName): Promise<ServiceRoute | null> {
    return this.#routes.find(projectName, runName);
  }

  /** The requests of a service, also those that other processes of this server have counted. */
  state(route: ServiceRoute): ProxiedService {
    return this.#figures.state(route);
  }

  /** The figures of all present services with requests since the server started. */
  states(): Promise<ProxiedService[]> {
    return this.#figures.states();
  }

  /** See `ModelStats.add`; for requests that do not pass by `forward`. */
  countModel(...asked: Parameters<ModelStats['add']>): void {
    this.#models.add(...asked);
  }

  /** See `ProxyFigures.counted`. */
  counted(...asked: Parameters<ProxyFigures['counted']>): CountedService[] {
    return this.#figures.counted(...asked);
  }

  /** See `AccessRecords.since`. */
  accessSince(runId: string, after: number | null): AccessPage {
    return this.#log.since(runId, after);
  }

  /** The figures of this process, for the process that adds them up. */
  get figures(): CountedService[] {
    return this.#figures.own;
  }

  /** The same of some services. */
  figuresOf(runIds: ReadonlySet<string>): CountedService[] {
    return this.#figures.ownOf(runIds);
  }

  /** Pending requests per replica. */
  load({ replicas }: ServiceRoute): number {
    return this.#replicas.load(replicas);
  }

  /** Whether pages of every origin may send requests to the service. */
  async isOpenToOrigins({ project, run }: ServiceTarget): Promise<boolean> {
    return (await this.#routes.find(project, run))?.isOpenToOrigins ?? false;
  }

  /** Throws `ProxyRefusal`. Cuts off the client when its access is revoked. */
  async admit(
    target: ServiceTarget,
    request: IncomingMessage,
    client: ClientConnection,
  ): Promise<AdmittedRequest> {
    const route = await this.#routes.find(target.project, target.run);
    const service = route ?? (await this.#outages.find(target.project, target.run));
    if (service === null) {
      throw serviceNotFound({ projectName: target.project, runName: target.run });
    }
    const mayAnswer = route !== null && (route.replicas.length > 0 || route.mayBeEmpty);
    const { origin } = target;
    if (route !== null && origin !== undefined && origin.runId !== route.runId) {
      throw serviceNotFound(service);
    }
    const proof = { request, session: origin?.session ?? null };
    const arrival = { service, mayAnswer, proof, client };
    const caller = service.auth ? await this.#callers.admit(arrival) : null;
    if (!mayAnswer) throw await this.#outages.noReplica(service, service.auth);
    checkRequest(route, target, request);
    const ownValues = await this.#callers.ownValues(request, target.rest, caller);
    const rest = withoutParameters(target.rest, ownValues);
    return { route, target: { ...target, rest }, caller, ownValues };
  }

  /** Whether it has a replica that no other one is preferred to. */
  accepts({ replicas }: ServiceRoute): boolean {
    return replicas.some((target) => !this.#replicas.isEjected(target));
  }

  /** Throws `ProxyRefusal`. Counts only requests of callers who may use the service. */
  async limitRate(route: ServiceRoute, path: string, request: IncomingMessage): Promise<void> {
    const limit = limitOf(route.rateLimits, path);
    if (limit === null) return;
    const address = this.#network(request);
    const key = rateKey({ runId: route.runId, limit, request, address });
    const wait = key === null ? 0 : await this.#takeRate(key, limit, route.runId);
    if (wait > 0) throw rateExceeded(limit, wait);
  }

  /** See `TakeRate`; for limits of others than services. */
  takeRate(...asked: Parameters<TakeRate>): ReturnType<TakeRate> {
    return this.#takeRate(...asked);
  }

  /** Throws `ProxyRefusal` before anything was answered; otherwise answers. */
  async forward(admitted: AdmittedRequest, forwarded: ForwardedRequest): Promise<void> {
    const ended = this.#log.begin(begun(admitted, forwarded));
    let jobId: string;
    try {
      jobId = await this.#forward(admitted, forwarded);
    } catch (error) {
      ended(failureStatus(error), null);
      throw error;
    }
    ended(forwarded.response.statusCode, jobId);
  }

  /** Throws the refusal of a request that nginx has sent to a replica in vain, and that may not be repeated. */
  async undelivered(
    admitted: AdmittedRequest,
    { request, id }: Pick<ForwardedRequest, 'request' | 'id'>,
    why: 'connection_broken' | 'timed_out',
  ): Promise<void> {
    await this.#log.record(begun(admitted, { request, id }), async () => {
      const text = 'nginx got no answer';
      const error = why === 'timed_out' ? new NoAnswerInTime(text) : new Error(text);
      throw await this.#outages.failed(admitted.route, error, admitted.route.auth);
    });
  }

  /** Returns the job of the replica that has answered. */
  async #forward(
    admitted: AdmittedRequest,
    { request, response, id }: ForwardedRequest,
  ): Promise<string> {
    const maxBody = this.#options.maxBody || Number.POSITIVE_INFINITY;
    if (Number(request.headers['content-length'] ?? 0) > maxBody) throw bodyTooLarge(maxBody);
    const { route, target } = admitted;
    if (route.rateLimits.length > 0) await this.limitRate(route, target.rest, request);
    const path = pathOf(admitted);
    const headers = this.#headers(admitted, request, id);
    const answer = answerOf(admitted, request);
    const copy = this.#mirror.copyOf(route, { request, path, headers });
    const { onModelUse } = this.#options;
    const onUse: OnModelUse = async (use) => {
      this.#models.add(route.runId, use.tokens, use.firstMs);
      await onModelUse?.(use);
    };
    const tap = onModelUse === undefined ? null : modelTap(admitted, request, onUse);
    const order = { request, response, id, path, headers, maxBody, copy, answer, tap };
    if (!hasBody(request)) copy?.send();
    try {
      const { replica, value } = await this.#deliver(
        route,
        { client: response, request },
        {
          isRepeatable: REPEATABLE.has(request.method ?? '') && !hasBody(request),
          isUnwanted: () => response.destroyed,
          send: (one) => {
            const onAnswer = (status: number) => this.#replicas.answered(one, status);
            return exchange(this.#dispatcherOf(one, request), { ...order, onAnswer });
          },
        },
      );
      if (value === 'cut-off') this.#replicas.broke(replica);
      this.#replicas.release(replica);
      return replica.target.jobId;
    } finally {
      copy?.abandon();
    }
  }

  #dispatcherOf(replica: ConnectedReplica, request: IncomingMessage) {
    if (!hasTrailers(request)) return replica.pool;
    return trailingDispatcher({
      ...{ request, timeoutMs: this.#options.timeoutMs },
      open: () => this.#replicas.open(replica),
      trailers: async () => {
        const { rawTrailers: rawHeaders } = request;
        const own = await this.#callers.ownValues({ headers: {}, rawHeaders }, '', null);
        return requestTrailers(rawHeaders, own);
      },
    });
  }

  /** A call of gRPC. Throws `ProxyRefusal` before anything was answered. */
  async call(admitted: AdmittedRequest, { request, stream, id }: CalledRequest): Promise<void> {
    const { route, target } = admitted;
    await this.#log.record(begun(admitted, { request, id }), async () => {
      await this.limitRate(route, target.rest, request);
      const headers = this.#headers(admitted, request, id);
      const authority = request.headers.host ?? '';
      const body = new CallBody(stream);
      const call = { client: stream, body, path: pathOf(admitted), authority, headers, id };
      const { replica, value } = await this.#deliver(
        route,
        { client: stream, request },
        {
          isRepeatable: false,
          isUnwanted: () => stream.destroyed,
          send: async (one) => {
            const onAnswer = (status: number) => this.#replicas.answered(one, status);
            const sent = await sendCall(one, { ...call, onAnswer });
            // A call that begins well may still fail, because its status follows its messages.
            if (sent.kind === 'done' && isServerError(sent.value)) this.#replicas.broke(one);
            return sent;
          },
        },
      );
      this.#replicas.release(replica);
      return { status: value, jobId: replica.target.jobId };
    });
  }

  /** Throws `ProxyRefusal` before anything was answered; resolves when the connection is closed. */
  async upgrade(admitted: AdmittedRequest, upgraded: UpgradedRequest): Promise<void> {
    await this.#log.record(begun(admitted, upgraded), () => this.#upgrade(admitted, upgraded));
  }

  async #upgrade(admitted: AdmittedRequest, { request, socket, head, id }: UpgradedRequest) {
    await this.limitRate(admitted.route, admitted.target.rest, request);
    const order = {
      ...{ request, socket, head, path: pathOf(admitted) },
      headers: this.#headers(admitted, request, id),
      answer: answerOf(admitted, request),
      timeoutMs: this.#options.timeoutMs,
    };
    const { replica, value } = await this.#deliver(
      admitted.route,
      { client: socket, request },
      {
        isRepeatable: true,
        isUnwanted: () => socket.destroyed,
        send: async (one) => {
          const sent = await askUpgrade(() => this.#replicas.open(one), order);
          if (sent.kind === 'done') this.#replicas.answered(one, sent.value.status);
          return sent;
        },
      },
    );
    const { joined, status } = value;
    // `close` ran before this connection was registered.
    if (this.#isClosed) joined.destroy();
    this.#joined.set(socket, joined);
    await joined.over;
    this.#joined.delete(socket);
    this.#replicas.release(replica);
    return { status, jobId: replica.target.jobId };
  }

  /**
   * Sends a request of the server itself; the caller must read or destroy the body. Throws
   * `ProxyRefusal`.
   */
  async ask(route: ServiceRoute, question: Question): Promise<Dispatcher.ResponseData> {
    const { client, path, user, id } = question;
    const ended = this.#log.begin({ route, request: client.req, path, user, id });
    const disconnected = new AbortController();
    const abort = () => disconnected.abort();
    client.once('close', abort);
    const headers = {
      'content-type': question.contentType ?? 'application/json',
      ...(question.length !== undefined && { 'content-length': String(question.length) }),
      'x-request-id': id,
      ...(route.auth && { 'x-dstack-user': user }),
    };
    const options = { path, method: 'POST', headers, signal: disconnected.signal } as const;
    const body = () => (typeof question.body === 'function' ? question.body() : question.body);
    try {
      const { value: answer, replica } = await this.#deliver(
        route,
        { client, request: client.req },
        {
          isRepeatable: false,
          isPatient: question.isPatient ?? true,
          isUnwanted: () => client.destroyed,
          send: async (one) => {
            try {
              const value = await one.pool.request({ ...options, body: body() });
              this.#replicas.answered(one, value.statusCode);
              return { kind: 'done', value };
            } catch (error) {
              const unsent = error instanceof ConnectFailure;
              return { kind: 'failed', error: error as Error, unsent };
            }
          },
        },
      );
      if (route.mirror !== null) {
        const raw = Object.entries(headers).flat();
        const copy = this.#mirror.copyOf(route, { request: client.req, path, headers: raw });
        if (copy !== null) void copyBody(copy, question);
      }
      answer.body.once('close', () => {
        client.off('close', abort);
        const isCut = !answer.body.readableEnded && answer.body.errored !== null;
        if (isCut && !disconnected.signal.aborted) this.#replicas.broke(replica);
        this.#replicas.release(replica);
        ended(answer.statusCode, replica.target.jobId);
      });
      return answer;
    } catch (error) {
      ended(failureStatus(error), null);
      client.off('close', abort);
      throw error;
    }
  }

  /** A wake-up is no latency of the app, and a WebSocket has none. */
  #measure({ runId }: ServiceRoute, client: ClientConnection, isWaiting: boolean): void {
    // It would never be closed again.
    if (client.destroyed) return;
    const isLatency = !isWaiting && client instanceof ServerResponse;
    client.once('close', this.#load.begin(runId, isLatency));
  }

  #cutOff(client: ClientConnection): void {
    const joined = this.#joined.get(client);
    if (joined) joined.end(POLICY_VIOLATION);
    else client.destroy();
  }

  #network(request: IncomingMessage): string {
    return networkOf(clientAddress(request.rawHeaders, this.#sender(request)));
  }

  #sender({ socket }: Pick<IncomingMessage, 'socket'>): Sender {
    const { trust } = this.#options;
    return { address: socket.remoteAddress ?? '', isEncrypted: 'encrypted' in socket, trust };
  }

  #headers(admitted: AdmittedRequest, request: IncomingMessage, requestId: string): string[] {
    return requestHeaders(request.rawHeaders, {
      requestId,
      sender: this.#sender(request),
      prefix: admitted.route.stripPrefix ? admitted.target.prefix : null,
      user: admitted.caller?.name ?? null,
      ownValues: admitted.ownValues,
    });
  }

  /** Counts the request, waits for a replica if needed, and delivers it. Throws `ProxyRefusal`. */
  async #deliver<T>(
    route: ServiceRoute,
    { client, request }: Asker,
    order: Omit<Order<T>, 'route' | 'affinity'>,
  ): Promise<Delivered<T>> {
    const { affinity: key } = route;
    const affinity = key === null ? null : keyValue(key, request, this.#network(request));
    const isWaiting = !this.#replicas.some(route.replicas);
    if (route.scaled) this.#traffic.count(route.runId, isWaiting);
    if (route.metered) this.#measure(route, client, isWaiting);
    const holds = isWaiting && route.mayBeEmpty;
    const awake = holds ? await this.#waiting.firstReplica(route, client) : route;
    try {
      if (awake === null) throw new NoReplica();
      return await this.#delivery.deliver({ ...order, affinity, route: awake });
    } catch (error) {
      if (error instanceof NoReplica) throw await this.#outages.noReplica(route, route.auth);
      if (!(error instanceof Undelivered)) throw error;
      if (error.cause instanceof ProxyRefusal) throw error.cause;
      throw await this.#outages.failed(route, error.cause, route.auth);
    }
  }
}
