/** Copies of requests to a service for another service. Nothing waits for them, and no client sees their answers. */

import type { IncomingMessage } from 'node:http';
import type { Dispatcher } from 'undici';
import request from 'undici/lib/api/api-request.js';
import type { RequestStats } from '../policy/service-stats.ts';
import type { ConnectedReplica } from '../replicas/known-replica.ts';
import type { ReplicaConnections } from '../replicas/replica-connections.ts';
import { ConnectFailure } from '../replicas/upstream-failure.ts';
import type { ServiceRoute } from '../routes/service-route.ts';
import type { ServiceRoutes } from '../routes/service-routes.ts';
import type { Question } from './requests.ts';

export interface MirrorOptions {
  readonly routes: Pick<ServiceRoutes, 'find'>;
  readonly replicas: Pick<ReplicaConnections, 'acquire' | 'answered' | 'refused' | 'release'>;
  /** Counts copies, by the service whose requests are copied. */
  readonly stats: RequestStats;
  /** A copy is demand of the service that gets it. The result is called when the copy has ended. */
  readonly onDemand: (target: ServiceRoute) => () => void;
  /** Milliseconds. */
  readonly now: () => number;
}

/** A request as the app of the service receives it. */
export interface MirroredRequest {
  readonly request: IncomingMessage;
  readonly path: string;
  /** Names and values in turn. */
  readonly headers: readonly string[];
}

/** The copy of one request, which is sent once its body is complete. */
export interface RequestCopy {
  /** The body is read from its beginning. */
  begin(): void;
  add(part: Buffer): void;
  /** The request is complete. */
  send(): void;
  /** The request has ended; without effect if its copy was sent. */
  abandon(): void;
}

/** Marks copies: an app that passes headers on cannot make a copy of a copy. */
export const MIRROR_HEADER = 'X-Dstack-Mirror';

/** Bytes of a body that is copied. */
const MAX_BODY = 1024 * 1024;
/** Bytes that all copies of this process hold. */
const MAX_HELD = 64 * 1024 * 1024;
/** Copies of one service that have not ended. */
const MAX_COPIES = 100;
/** By then a copy is cut off, in milliseconds. */
const LONGEST_MS = 60_000;
/** Bytes of an answer; a longer one is cut off. */
const MAX_ANSWER = 64 * 1024 * 1024;
/** How long a service that does not exist is not looked for again, in milliseconds. */
const MISSING_MS = 1000;
const MAX_SERVICES = 5000;

interface Mirrored {
  /** Hundredths of a copy that are due. */
  due: number;
  copies: number;
  missingUntil: number;
}

export class RequestMirror {
  readonly #options: MirrorOptions;
  readonly #services = new Map<string, Mirrored>();
  #held = 0;

  constructor(options: MirrorOptions) {
    this.#options = options;
  }

  /** Null: this request is not copied. */
  copyOf(route: ServiceRoute, mirrored: MirroredRequest): RequestCopy | null {
    const { mirror } = route;
    const { method = '', headers } = mirrored.request;
    if (mirror === null || !mirror.methods.includes(method)) return null;
    if (headers[MIRROR_HEADER.toLowerCase()] !== undefined) return null;
    const service = this.#service(route.runId);
    service.due += mirror.percent;
    if (service.due < 100) return null;
    service.due -= 100;
    if (service.copies >= MAX_COPIES || this.#options.now() < service.missingUntil) {
      this.#count(route, 'dropped');
      return null;
    }
    service.copies += 1;
    return this.#copy(route, service, mirrored);
  }

  #copy(route: ServiceRoute, service: Mirrored, mirrored: MirroredRequest): RequestCopy {
    let parts: Buffer[] = [];
    let size = 0;
    let state: 'open' | 'too large' | 'ended' = 'open';
    const free = () => {
      this.#held -= size;
      parts = [];
      size = 0;
    };
    const end = (outcome: 'dropped' | null) => {
      state = 'ended';
      service.copies -= 1;
      free();
      if (outcome !== null) this.#count(route, outcome);
    };
    return {
      begin: () => free(),
      add: (part) => {
        if (state !== 'open') return;
        if (size + part.length > MAX_BODY || this.#held + part.length > MAX_HELD) {
          state = 'too large';
          free();
          return;
        }
        parts.push(part);
        size += part.length;
        this.#held += part.length;
      },
      send: () => {
        if (state === 'ended') return;
        if (state === 'too large') {
          end('dropped');
          return;
        }
        state = 'ended';
        const body = parts.length === 0 ? null : Buffer.concat(parts);
        // After the request itself has been given to its replica.
        setImmediate(() => {
          this.#send(route, service, { ...mirrored, body })
            .catch(() => this.#count(route, 'failed'))
            .finally(() => end(null));
        });
      },
      abandon: () => {
        if (state !== 'ended') end('dropped');
      },
    };
  }

  /** Rejects if the copy was not answered. */
  async #send(
    source: ServiceRoute,
    service: Mirrored,
    copy: MirroredRequest & { readonly body: Buffer | null },
  ): Promise<void> {
    const { routes, replicas, stats, onDemand, now } = this.#options;
    const target = await routes.find(source.projectName, source.mirror?.service ?? '');
    if (target === null || target.runId === source.runId) {
      service.missingUntil = now() + MISSING_MS;
      this.#count(source, 'dropped');
      return;
    }
    const ended = onDemand(target);
    const replica = replicas.acquire(target.runId, target.replicas);
    try {
      if (replica === null) {
        this.#count(source, 'dropped');
        return;
      }
      const begun = now();
      const status = await ask(replica, {
        path: copy.path === '' || copy.path.startsWith('?') ? `/${copy.path}` : copy.path,
        method: copy.request.method as Dispatcher.HttpMethod,
        headers: [...copy.headers, MIRROR_HEADER, source.runName],
        body: copy.body,
      });
      replicas.answered(replica, status);
      stats.add(source, status, now() - begun);
    } catch (error) {
      if (replica !== null && error instanceof ConnectFailure) replicas.refused(replica);
      throw error;
    } finally {
      if (replica !== null) replicas.release(replica);
      ended();
    }
  }

  #count(route: ServiceRoute, outcome: 'dropped' | 'failed'): void {
    this.#options.stats.count(route, outcome);
  }

  #service(runId: string): Mirrored {
    const known = this.#services.get(runId);
    if (known) return known;
    // One that is forgotten begins again to count the hundredths.
    if (this.#services.size >= MAX_SERVICES) this.#services.clear();
    const made = { due: 0, copies: 0, missingUntil: 0 };
    this.#services.set(runId, made);
    return made;
  }
}

/** Sends a copy of a body that can be read again, while it can be read. */
export async function copyBody(
  copy: RequestCopy,
  { body, length = 0 }: Pick<Question, 'body' | 'length'>,
): Promise<void> {
  try {
    if (typeof body === 'string') copy.add(Buffer.from(body));
    else if (length <= MAX_BODY) for await (const part of body()) copy.add(part as Buffer);
    else return;
    copy.send();
  } catch {
    // The request has ended, and its body with it.
  } finally {
    copy.abandon();
  }
}

/** Returns the status; the rest of the answer is thrown away. */
async function ask(
  { pool }: ConnectedReplica,
  options: Pick<Dispatcher.RequestOptions, 'path' | 'method' | 'headers' | 'body'>,
): Promise<number> {
  const signal = AbortSignal.timeout(LONGEST_MS);
  const { statusCode, body } = await request.call(pool, { ...options, signal });
  try {
    await body.dump({ limit: MAX_ANSWER, signal });
  } catch {
    // The answer has begun, which is enough to count it.
  }
  return statusCode;
}
