import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Id } from '@dstack/core';
import type { Services } from '@dstack/store';
import { type Dispatcher, errors } from 'undici';
import type { Logger } from '../logging.ts';
import type { Admit, ServiceCaller } from './callers.ts';
import { type Exchange, exchange, hasBody, type Outcome } from './exchange.ts';
import type { Trust } from './forwarded.ts';
import { type ResponseContext, requestHeaders } from './headers.ts';
import type { OwnTokens } from './own-tokens.ts';
import { valuesOf } from './raw-headers.ts';
import {
  type ProxyRefusal,
  pathNotAllowed,
  serviceNotFound,
  stillStarting,
  timedOut,
  upgradeNotSupported,
  upstreamFailed,
} from './refusal.ts';
import { type OpenPort, type Replica, ReplicaConnections } from './replica-connections.ts';
import { type ServiceRoute, ServiceRoutes } from './service-routes.ts';
import { Traffic } from './traffic.ts';
import { joinUpgrade } from './upgrade.ts';

export interface ServiceProxyOptions {
  readonly services: Pick<Services, 'byName' | 'addRequests'>;
  readonly open: OpenPort;
  readonly admit: Admit;
  readonly ownTokens: Pick<OwnTokens, 'among'>;
  /** Whose word on where a request comes from is taken and passed on. */
  readonly trust: Trust;
  /** Milliseconds without a byte after which an answer is given up. */
  readonly timeoutMs: number;
  /** Other servers may change services without telling this one. */
  readonly shared: boolean;
  /** Microseconds. */
  readonly now: () => number;
  readonly log: Logger;
}

/** A request for a service: who is meant, and its URL as it was sent. */
export interface ServiceTarget {
  readonly project: string;
  readonly run: string;
  /** `/proxy/services/<project>/<run>`, undecoded. */
  readonly prefix: string;
  /** What follows it, the query included; empty or from a slash or question mark on. */
  readonly rest: string;
}

const TARGET = /^(\/proxy\/services\/([^/?]+)\/([^/?]+))(?=[/?]|$)(.*)$/s;

/** Null: the URL is not one of a service. */
export function serviceTarget(url: string): ServiceTarget | null {
  const [, prefix = '', project = '', run = '', rest = ''] = TARGET.exec(url) ?? [];
  try {
    const names = { project: decodeURIComponent(project), run: decodeURIComponent(run) };
    return prefix === '' ? null : { ...names, prefix, rest };
  } catch {
    // Broken percent encoding names nobody.
    return null;
  }
}

/** A service found, and a caller admitted to it. */
export interface Passage {
  readonly route: ServiceRoute;
  readonly target: ServiceTarget;
  /** Null: the service takes everybody. */
  readonly caller: ServiceCaller | null;
  /** Values of `Authorization` that are not for the service. */
  readonly ownAuthorizations: ReadonlySet<string>;
}

/** Whoever waits for an answer: gone once it is closed. */
export type Client = ServerResponse | Duplex;

/** How long what is known of a service may be used, in milliseconds; changes of one's own tell. */
const TTL_SHARED = 1000;
const TTL = 30_000;

/** Requests for a service that starts are kept this long, and no more than so many of them. */
const HOLD_MS = 60_000;
const MAX_HELD = 1000;

/** What was started listens within this time, and is asked again so often meanwhile. */
const START_MS = 10_000;
const ASK_AGAIN_MS = 100;

/** Requests that may be repeated where they have been sent and not been answered. */
const REPEATABLE = new Set(['GET', 'HEAD', 'OPTIONS']);

const ROUTER_PATHS = /^(\/generate|\/chat\/completions|\/v1\/[^?]*)(\?|$)/;

/** Sends requests to the replicas of services that have no gateway. */
export class ServiceProxy {
  readonly #options: ServiceProxyOptions;
  readonly #routes: ServiceRoutes;
  readonly #replicas: ReplicaConnections;
  readonly #traffic: Traffic;
  readonly #joined = new Set<Duplex>();
  #held = 0;

  constructor(options: ServiceProxyOptions) {
    const { services, open, timeoutMs, shared, now, log } = options;
    this.#options = options;
    this.#replicas = new ReplicaConnections({ open, timeoutMs });
    this.#traffic = new Traffic({ services, owner: randomUUID(), now, log });
    this.#routes = new ServiceRoutes({
      services,
      ttlMs: shared ? TTL_SHARED : TTL,
      now: () => now() / 1000,
      wants: (runId) => this.#replicas.holds(runId),
      onRoute: (route) => this.#replicas.keepOnly(route.runId, route.replicas),
    });
  }

  /** Something of the run has changed. */
  changed(runId: Id): void {
    this.#routes.changed(runId);
  }

  /** See `ReplicaConnections.leave`. */
  leave(jobId: Id, whenIdle: () => void): boolean {
    return this.#replicas.leave(jobId, whenIdle);
  }

  async close(): Promise<void> {
    for (const socket of this.#joined) socket.destroy();
    this.#replicas.close();
    await this.#traffic.close();
  }

  /** Throws `ProxyRefusal`. The client is cut off once its access is taken away. */
  async admit(target: ServiceTarget, request: IncomingMessage, client: Client): Promise<Passage> {
    const route = await this.#routes.find(target.project, target.run);
    if (!route || (route.replicas.length === 0 && !route.mayBeEmpty)) {
      throw serviceNotFound(target.project, target.run);
    }
    const caller = route.auth ? await this.#caller(route.projectName, request, client) : null;
    checkRequest(route, target, request);
    const authorizations = valuesOf(request.rawHeaders, 'authorization');
    const ownAuthorizations = await this.#options.ownTokens.among(authorizations);
    return { route, target, caller, ownAuthorizations };
  }

  /** Throws `ProxyRefusal` while nothing was answered; otherwise answers. */
  async forward(passage: Passage, { request, response, id }: ForwardedRequest): Promise<void> {
    const order = {
      ...{ request, response, id, path: pathOf(passage) },
      headers: this.#headers(passage, request),
      answer: answerOf(passage, request),
    };
    const route = await this.#awake(passage.route, response);
    const until = this.#isStarting(route) ? this.#now() + START_MS : 0;
    let attempt = await this.#send(route, order, null, false);
    for (let tries = 1; attempt.outcome.kind === 'failed'; tries++) {
      const { error, unsent } = attempt.outcome;
      if (!unsent && (tries > 1 || !isRepeatable(request, error))) throw refusalOf(error);
      // Whoever has just been started is given the time to listen.
      const mayWait = unsent && this.#now() < until && !response.destroyed;
      if (tries > 1 && !mayWait) throw refusalOf(error);
      if (tries > 1) await delay(ASK_AGAIN_MS);
      const current = await this.#routes.find(route.projectName, route.runName);
      attempt = await this.#send(current ?? route, order, attempt, mayWait || !unsent);
    }
  }

  /** Throws `ProxyRefusal` while nothing was answered; resolves when the connection is over. */
  async upgrade(
    passage: Passage,
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
  ): Promise<void> {
    const route = await this.#awake(passage.route, socket);
    const { replica, connection } = await this.#connect(route);
    this.#joined.add(socket);
    // The client may have gone while a replica was waited for.
    if (socket.destroyed) connection.destroy();
    try {
      await joinUpgrade(connection, {
        ...{ request, socket, head, path: pathOf(passage) },
        headers: this.#headers(passage, request),
        answer: answerOf(passage, request),
        timeoutMs: this.#options.timeoutMs,
      });
    } catch (error) {
      this.#note(route, replica, error as Error);
      throw upstreamFailed();
    } finally {
      this.#joined.delete(socket);
      this.#replicas.release(replica);
    }
  }

  /**
   * A request of the server's own; the answer's body must be read or destroyed. Throws
   * `ProxyRefusal` where nobody is there to ask, else what went wrong on the way.
   */
  async ask(route: ServiceRoute, question: Question): Promise<Dispatcher.ResponseData> {
    const client = question.client;
    const current = await this.#awake(route, client);
    const replica = this.#replicas.acquire(current.runId, current.replicas);
    if (replica === null) throw serviceNotFound(route.projectName, route.runName);
    const gone = new AbortController();
    const abort = () => gone.abort();
    client.once('close', abort);
    const over = () => {
      client.off('close', abort);
      this.#replicas.release(replica);
    };
    try {
      const { path, body } = question;
      const headers = {
        'content-type': 'application/json',
        ...(route.auth && { 'x-dstack-user': question.user }),
      };
      const options = { path, method: 'POST', body, headers, signal: gone.signal } as const;
      const answer = await replica.pool.request(options);
      answer.body.once('close', over);
      return answer;
    } catch (error) {
      over();
      this.#note(route, replica, error as Error);
      throw error;
    }
  }

  async #caller(project: string, request: IncomingMessage, client: Client): Promise<ServiceCaller> {
    const caller = await this.#options.admit(project, request, () => client.destroy());
    if (client.destroyed) caller.leave();
    else client.once('close', () => caller.leave());
    return caller;
  }

  #headers(passage: Passage, { rawHeaders, socket }: IncomingMessage): string[] {
    const { trust } = this.#options;
    const address = socket.remoteAddress ?? '';
    return requestHeaders(rawHeaders, {
      sender: { address, isEncrypted: 'encrypted' in socket, trust },
      prefix: passage.route.stripPrefix ? passage.target.prefix : null,
      user: passage.caller?.name ?? null,
      ownAuthorizations: passage.ownAuthorizations,
    });
  }

  /** Another try goes elsewhere; to the same replica only if it `mayStay`. */
  async #send(
    route: ServiceRoute,
    order: Exchange,
    before: Attempt | null,
    mayStay: boolean,
  ): Promise<Attempt> {
    const tried = new Set(before ? [before.replica.target.jobId] : []);
    const replica =
      this.#replicas.acquire(route.runId, route.replicas, tried) ??
      (mayStay ? this.#replicas.acquire(route.runId, route.replicas) : null);
    if (replica === null) {
      if (before?.outcome.kind === 'failed') throw refusalOf(before.outcome.error);
      throw serviceNotFound(route.projectName, route.runName);
    }
    try {
      const outcome = await exchange(replica.pool, order);
      if (outcome.kind === 'failed') this.#note(route, replica, outcome.error);
      return { replica, outcome };
    } finally {
      this.#replicas.release(replica);
    }
  }

  async #connect(route: ServiceRoute): Promise<{ replica: Replica; connection: Duplex }> {
    const until = this.#isStarting(route) ? this.#now() + START_MS : 0;
    const tried = new Set<Id>();
    for (;;) {
      const replica = this.#replicas.acquire(route.runId, route.replicas, tried);
      if (replica === null) {
        if (this.#now() >= until || tried.size === 0) throw upstreamFailed();
        tried.clear();
        await delay(ASK_AGAIN_MS);
        continue;
      }
      try {
        return { replica, connection: await this.#replicas.open(replica) };
      } catch (error) {
        this.#replicas.release(replica);
        this.#note(route, replica, error as Error);
        tried.add(replica.target.jobId);
      }
    }
  }

  /** Counts the request, and keeps it until there is a replica where the first one starts it. */
  async #awake(route: ServiceRoute, client: Client): Promise<ServiceRoute> {
    const isWaiting = !this.#replicas.some(route.replicas);
    if (route.scaled) this.#traffic.count(route.runId, isWaiting);
    if (!isWaiting) return route;
    const { projectName, runName } = route;
    if (!route.mayBeEmpty) throw serviceNotFound(projectName, runName);
    if (this.#held >= MAX_HELD) throw stillStarting(projectName, runName);
    this.#held += 1;
    const over = new AbortController();
    const end = () => over.abort();
    const limit = setTimeout(end, HOLD_MS);
    client.once('close', end);
    try {
      return await this.#firstReplica(route, over.signal);
    } finally {
      clearTimeout(limit);
      client.off('close', end);
      over.abort();
      this.#held -= 1;
    }
  }

  async #firstReplica(
    { runId, projectName, runName }: ServiceRoute,
    over: AbortSignal,
  ): Promise<ServiceRoute> {
    while (!over.aborted) {
      // Listened for before looking, so that no change falls in between.
      const change = this.#routes.nextChange(runId, TTL_SHARED, over);
      const route = await this.#routes.find(projectName, runName);
      if (!route) throw serviceNotFound(projectName, runName);
      if (this.#replicas.some(route.replicas)) return route;
      await change;
    }
    throw stillStarting(projectName, runName);
  }

  /** Some replica may be running and not listening yet. */
  #isStarting({ replicas }: ServiceRoute): boolean {
    const now = this.#now();
    return replicas.some(({ runningAt }) => now - runningAt / 1000 < START_MS);
  }

  /** Milliseconds. */
  #now(): number {
    return this.#options.now() / 1000;
  }

  #note({ projectName, runName }: ServiceRoute, { target }: Replica, error: Error): void {
    const { log } = this.#options;
    const service = `${projectName}/${runName}`;
    log.debug({ service, job: target.jobId, err: error }, 'a replica did not answer');
  }
}

/** A JSON body for a path of a service. */
export interface Question {
  readonly path: string;
  readonly body: string | Buffer;
  /** Name of the caller. */
  readonly user: string;
  /** Whoever waits for the answer: without it nobody does. */
  readonly client: ServerResponse;
}

interface Attempt {
  readonly replica: Replica;
  readonly outcome: Outcome;
}

export interface ForwardedRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly id: string;
}

/** Throws `ProxyRefusal`. */
function checkRequest(route: ServiceRoute, target: ServiceTarget, request: IncomingMessage): void {
  const path = pathOf({ route, target });
  if (route.behindRouter && !ROUTER_PATHS.test(path)) throw pathNotAllowed();
  const protocol = request.headers.upgrade?.toLowerCase() ?? null;
  // Whoever offers HTTP/2 is content with being answered in HTTP/1.1.
  if (protocol !== null && protocol !== 'websocket' && protocol !== 'h2c') {
    throw upgradeNotSupported();
  }
}

function pathOf({ route, target }: Pick<Passage, 'route' | 'target'>): string {
  return route.stripPrefix ? target.rest : target.prefix + target.rest;
}

function answerOf({ route, target }: Passage, { headers }: IncomingMessage): ResponseContext {
  return { path: target.prefix, isStripped: route.stripPrefix, host: headers.host ?? null };
}

/** Nothing of a body was lost, and doing it twice is as good as once. */
function isRepeatable(request: IncomingMessage, error: Error): boolean {
  return REPEATABLE.has(request.method ?? '') && !hasBody(request) && !isTimeout(error);
}

function isTimeout(error: Error): boolean {
  return (
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError ||
    error instanceof errors.ConnectTimeoutError
  );
}

function refusalOf(error: Error): ProxyRefusal {
  return isTimeout(error) ? timedOut() : upstreamFailed();
}
