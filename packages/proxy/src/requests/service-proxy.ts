import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
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
import { RequestLog } from '../counts/request-log.ts';
import { Traffic } from '../counts/traffic.ts';
import type { TakeRate } from '../policy/rate-limits.ts';
import { RequestStats } from '../policy/service-stats.ts';
import { Outages } from '../refusals/outages.ts';
import type { ServiceName } from '../refusals/refusal.ts';
import { ReplicaConnections } from '../replicas/replica-connections.ts';
import type { ServiceRoute } from '../routes/service-route.ts';
import { ServiceRoutes } from '../routes/service-routes.ts';
import type { ServiceTarget } from '../routes/service-target.ts';
import type { AdmittedRequest } from './admitted-request.ts';
import { Delivery } from './delivery.ts';
import { GrpcCalls } from './grpc/calls.ts';
import { HttpRequests } from './http-requests.ts';
import { RequestMirror } from './mirror.ts';
import { Questions } from './questions.ts';
import { RequestAdmission } from './request-admission.ts';
import type { RequestParts } from './request-parts.ts';
import { RequestRates } from './request-rates.ts';
import { RequestSenders } from './request-senders.ts';
import type { CalledRequest, ForwardedRequest, Question, UpgradedRequest } from './requests.ts';
import { ServiceDelivery } from './service-delivery.ts';
import type { ServiceProxyOptions } from './service-proxy-options.ts';
import { WaitingRequests } from './waiting-requests.ts';
import { WebSockets } from './web-sockets.ts';

/** How long a route is used without being read again, in milliseconds; own changes invalidate it. */
const TTL_SHARED = 1000;
const TTL = 30_000;
const COUNTS_MS = 1000;

/** Sends requests to the replicas of services that have no gateway. */
export class ServiceProxy {
  readonly #routes: ServiceRoutes;
  readonly #replicas: ReplicaConnections;
  readonly #waiting: WaitingRequests;
  readonly #admission: RequestAdmission;
  readonly #rates: RequestRates;
  readonly #http: HttpRequests;
  readonly #calls: GrpcCalls;
  readonly #webSockets: WebSockets;
  readonly #questions: Questions;
  readonly #traffic: Traffic;
  readonly #load: LoadMeter;
  readonly #log: RequestLog;
  readonly #figures: ProxyFigures;
  readonly #models: ModelStats;

  constructor(options: ServiceProxyOptions) {
    const { services, timeoutMs, now, log } = options;
    const nowMs = () => now() / 1000;
    const replicas = connectionsOf(options);
    const routes = routesOf(options, replicas);
    const outages = new Outages(options.readOutage);
    this.#replicas = replicas;
    this.#routes = routes;
    this.#waiting = new WaitingRequests({
      ...{ routes, replicas, most: options.maxHeld, processes: options.processes ?? 1 },
      lacksCapacity: (route) => outages.lacksCapacity(route),
    });
    const senders = new RequestSenders(options.trust);
    this.#rates = new RequestRates(options, senders);
    const stats = new RequestStats(nowMs);
    const mirrored = new RequestStats(nowMs);
    const models = new ModelStats(nowMs);
    this.#models = models;
    this.#log = new RequestLog({
      stats,
      addressOf: (request) => senders.addressOf(request),
      onEnded: options.onEnded ?? (() => {}),
    });
    this.#figures = new ProxyFigures({
      ...{ stats, mirrored, models, replicas, waiting: this.#waiting },
      find: (name) => this.find(name),
      others: options.figuresElsewhere ?? NO_OTHER_FIGURES,
    });
    const traffic = new Traffic({
      ...{ services, owner: randomUUID(), now, log },
      everyMs: options.countsEveryMs ?? (() => COUNTS_MS),
    });
    const load = new LoadMeter({ services, owner: randomUUID(), now, log });
    this.#traffic = traffic;
    this.#load = load;
    const mirror = new RequestMirror({
      ...{ routes, replicas, stats: mirrored, now: nowMs },
      onDemand: ({ runId, scaled, metered }) => {
        if (scaled) traffic.count(runId, false);
        return metered ? load.begin(runId, false) : () => {};
      },
    });
    const delivery = new ServiceDelivery({
      ...{ replicas, waiting: this.#waiting, outages, traffic, load, senders },
      delivery: deliveryOf(options, routes, replicas),
    });
    const rates = this.#rates;
    const parts: RequestParts = { replicas, delivery, rates, senders, log: this.#log };
    const webSockets = new WebSockets({ ...parts, timeoutMs });
    const cutOff = (client: ClientConnection) => webSockets.cutOff(client);
    const callers = new CallerAdmission({ ...options, cutOff });
    const { maxBody, onModelUse } = options;
    this.#admission = new RequestAdmission({ routes, outages, callers });
    this.#webSockets = webSockets;
    this.#calls = new GrpcCalls(parts);
    this.#questions = new Questions({ ...parts, mirror });
    this.#http = new HttpRequests({
      ...{ ...parts, callers, mirror, models, outages, maxBody, timeoutMs },
      ...(onModelUse && { onModelUse }),
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
    this.#webSockets.giveUp();
  }

  async close(): Promise<void> {
    this.#webSockets.close();
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

  /** Whether it has a replica that no other one is preferred to. */
  accepts({ replicas }: ServiceRoute): boolean {
    return replicas.some((target) => !this.#replicas.isEjected(target));
  }

  /** Throws `ProxyRefusal`. Cuts off the client when its access is revoked. */
  admit(
    target: ServiceTarget,
    request: IncomingMessage,
    client: ClientConnection,
  ): Promise<AdmittedRequest> {
    return this.#admission.admit(target, request, client);
  }

  /** Throws `ProxyRefusal`. Counts only requests of callers who may use the service. */
  limitRate(route: ServiceRoute, path: string, request: IncomingMessage): Promise<void> {
    return this.#rates.limit(route, path, request);
  }

  /** See `TakeRate`; for limits of others than services. */
  takeRate(...asked: Parameters<TakeRate>): ReturnType<TakeRate> {
    return this.#rates.take(...asked);
  }

  /** Throws `ProxyRefusal` before anything was answered; otherwise answers. */
  forward(admitted: AdmittedRequest, forwarded: ForwardedRequest): Promise<void> {
    return this.#http.forward(admitted, forwarded);
  }

  /** Throws the refusal of a request that nginx has sent to a replica in vain, and that may not be repeated. */
  undelivered(
    admitted: AdmittedRequest,
    sent: Pick<ForwardedRequest, 'request' | 'id'>,
    why: 'connection_broken' | 'timed_out',
  ): Promise<void> {
    return this.#http.undelivered(admitted, sent, why);
  }

  /** A call of gRPC. Throws `ProxyRefusal` before anything was answered. */
  call(admitted: AdmittedRequest, called: CalledRequest): Promise<void> {
    return this.#calls.call(admitted, called);
  }

  /** Throws `ProxyRefusal` before anything was answered; resolves when the connection is closed. */
  upgrade(admitted: AdmittedRequest, upgraded: UpgradedRequest): Promise<void> {
    return this.#webSockets.upgrade(admitted, upgraded);
  }

  /**
   * Sends a request of the server itself; the caller must read or destroy the body. Throws
   * `ProxyRefusal`.
   */
  ask(route: ServiceRoute, question: Question): Promise<Dispatcher.ResponseData> {
    return this.#questions.ask(route, question);
  }
}

function connectionsOf({ open, timeoutMs, now, log, onEjected }: ServiceProxyOptions) {
  return new ReplicaConnections({
    ...{ open, timeoutMs, now: () => now() / 1000 },
    onEjected: (ejected) => {
      const { runId, jobId, why, ms } = ejected;
      const text = 'a replica answers with errors: it is avoided';
      log.warn({ run: runId, job: jobId, ...why, ms }, text);
      onEjected?.(ejected);
    },
  });
}

function routesOf({ services, shared, now }: ServiceProxyOptions, replicas: ReplicaConnections) {
  return new ServiceRoutes({
    services,
    ttlMs: shared ? TTL_SHARED : TTL,
    now: () => now() / 1000,
    wants: (runId) => replicas.holds(runId),
    onRoute: (route) => replicas.keepOnly(route.runId, route.replicas),
  });
}

function deliveryOf(
  { returnsUntil, now, log }: ServiceProxyOptions,
  routes: ServiceRoutes,
  replicas: ReplicaConnections,
) {
  return new Delivery({
    replicas,
    current: ({ projectName, runName }) => routes.find(projectName, runName),
    now: () => now() / 1000,
    ...(returnsUntil && { returnsUntil }),
    onFailure: ({ projectName, runName }, { target }, error) => {
      const service = `${projectName}/${runName}`;
      log.debug({ service, job: target.jobId, err: error }, 'a replica did not answer');
    },
  });
}
