/** Requests to the API of one cluster. */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { createSecureContext, type SecureContext } from 'node:tls';
import { errorMessage } from '@dstack/contract/error-message';
import { WebSocket } from 'ws';
import {
  BackendError,
  BusyError,
  CredentialsError,
  NoAnswerError,
  NoCapacityError,
} from '../../base/errors.ts';
import { ClusterClock } from './cluster-clock.ts';
import type { ClusterAccess } from './kubeconfig.ts';

/** The cluster refused a request. */
export class ApiError extends BackendError {
  override name = 'ApiError';
  readonly status: number;
  /** The code of the API, such as `AlreadyExists`. */
  readonly reason: string;
  /** The message of the API, which names object and cause. */
  readonly text: string;

  /** `call`: cluster, method and path; part of the message. */
  constructor(status: number, reason: string, text: string, call: string | null = null) {
    super(call === null ? text : `${call}: ${text}`);
    this.status = status;
    this.reason = reason;
    this.text = text;
  }
}

export interface KubeCall {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 30_000;
/** One more attempt after an answer that asks for it, at most this much later. */
const MAX_RETRY_AFTER_S = 5;
/**
 * Two writers have met, such as creations of pods that count for one quota: the later one is asked
 * to try again, as `kubectl` and controllers do.
 */
const CONFLICT_PAUSES_MS = [20, 50, 100, 200, 400];
const TOO_MANY = 429;
const UNAUTHORIZED = 401;
export const FORBIDDEN = 403;
export const NOT_FOUND = 404;
export const CONFLICT = 409;
export const VERSION_EXPIRED = 410;
const SERVER_ERROR = 500;

/** Connections that are kept for the next requests: a burst of pods would open new ones for most of its own. */
const KEPT_CONNECTIONS = 32;

/** Certificates as a context, which takes longer to make than a handshake. */
interface KnownContext {
  readonly cert: string | null;
  readonly key: string | null;
  readonly secureContext: SecureContext;
}

export class KubeClient {
  readonly access: ClusterAccess;
  readonly clock = new ClusterClock();
  readonly #agent: Agent;
  #context: KnownContext | null = null;

  constructor(access: ClusterAccess) {
    this.access = access;
    this.#agent = new Agent({ keepAlive: true, maxFreeSockets: KEPT_CONNECTIONS });
  }

  close(): void {
    this.#agent.destroy();
  }

  /** The answer's JSON. Throws `ApiError` or another `BackendError`. */
  async call<T>(call: KubeCall): Promise<T> {
    const pauses = CONFLICT_PAUSES_MS.map((ms) => ms * (0.5 + Math.random() / 2));
    let isAsked = false;
    for (;;) {
      const { status, text, retryAfter } = await this.#send(call);
      if (status < 300) return (text === '' ? null : JSON.parse(text)) as T;
      if (status === TOO_MANY && retryAfter !== null && !isAsked) {
        isAsked = true;
        await delay(retryAfter * 1000);
        continue;
      }
      const pause = isRace(status, text) ? pauses.shift() : undefined;
      if (pause === undefined) throw this.#refusal(status, text, call);
      await delay(pause);
    }
  }

  /** Like `call`; null if there is no such object. */
  async find<T>(call: KubeCall): Promise<T | null> {
    try {
      return await this.call<T>(call);
    } catch (error) {
      if (error instanceof ApiError && error.status === NOT_FOUND) return null;
      throw error;
    }
  }

  /** The body of an answer of unknown length. */
  async stream(call: KubeCall, signal: AbortSignal): Promise<IncomingMessage> {
    const response = await this.#open(call, signal);
    const { statusCode: status = 0 } = response;
    if (status < 300) return response;
    throw this.#refusal(status, await textOf(response), call);
  }

  /** Opens a WebSocket of the API (exec, port-forward) with the given subprotocols. */
  async socket(
    path: string,
    query: readonly (readonly [string, string])[],
    protocols: readonly string[],
  ): Promise<WebSocket> {
    const url = this.#url(path);
    for (const [name, value] of query) url.searchParams.append(name, value);
    url.protocol = url.protocol === 'http:' ? 'ws:' : 'wss:';
    const { authorization } = await this.access.credential();
    return new WebSocket(url, [...protocols], {
      ...(await this.#tls()),
      headers: authorization === null ? {} : { authorization },
      handshakeTimeout: TIMEOUT_MS,
      perMessageDeflate: false,
    });
  }

  async #send(
    call: KubeCall,
  ): Promise<{ status: number; text: string; retryAfter: number | null }> {
    const signal = AbortSignal.timeout(call.timeoutMs ?? TIMEOUT_MS);
    const response = await this.#open(call, signal);
    const retryAfter = Number(response.headers['retry-after']);
    try {
      return {
        status: response.statusCode ?? 0,
        text: await textOf(response),
        retryAfter: retryAfter > 0 ? Math.min(retryAfter, MAX_RETRY_AFTER_S) : null,
      };
    } catch (error) {
      throw this.#noAnswer(call, error);
    }
  }

  async #open(call: KubeCall, signal: AbortSignal): Promise<IncomingMessage> {
    const { method = 'GET', path, query = {}, body } = call;
    const url = this.#url(path);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const { authorization } = await this.access.credential();
    const text = body === undefined ? null : JSON.stringify(body);
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const isPlain = url.protocol === 'http:';
    const options: RequestOptions = {
      ...(isPlain ? {} : { ...(await this.#tls()), agent: this.#agent }),
      ...{ method, signal },
      headers: {
        accept: 'application/json',
        'user-agent': 'dstack',
        ...(authorization === null ? {} : { authorization }),
        ...(text === null
          ? {}
          : { 'content-type': type, 'content-length': Buffer.byteLength(text) }),
      },
    };
    return await new Promise((resolve, reject) => {
      const sent = (isPlain ? httpRequest : httpsRequest)(url, options, (response) => {
        this.clock.read(response.headers.date);
        resolve(response);
      });
      sent.on('error', (error) => reject(this.#noAnswer(call, error)));
      sent.end(text ?? undefined);
    });
  }

  async #tls() {
    const { ca, verifies, serverName, credential } = this.access;
    const { cert, key } = await credential();
    const certificates = {
      ...(ca === null ? {} : { ca }),
      ...(cert === null ? {} : { cert }),
      ...(key === null ? {} : { key }),
    };
    if (this.#context?.cert !== cert || this.#context.key !== key) {
      this.#context = { cert, key, secureContext: createSecureContext(certificates) };
    }
    return {
      rejectUnauthorized: verifies,
      secureContext: this.#context.secureContext,
      // The agent keeps connections apart by them.
      ...certificates,
      ...(serverName === null ? {} : { servername: serverName }),
    };
  }

  #url(path: string): URL {
    const { server } = this.access;
    const base = server.pathname.replace(/\/$/, '');
    return new URL(`${base}${path}`, server);
  }

  #noAnswer({ method = 'GET', path }: KubeCall, error: unknown): NoAnswerError {
    const { context, server } = this.access;
    const why = errorMessage(error);
    const text = `cluster ${context} (${server.host}) did not answer ${method} ${path}: ${why}`;
    return new NoAnswerError(text, { cause: error });
  }

  /** The message of the API names object and cause; the cluster is added. */
  #refusal(status: number, text: string, call: KubeCall): BackendError {
    const { reason, message } = statusOf(text, status);
    const { context } = this.access;
    if (status === UNAUTHORIZED) {
      return new CredentialsError(`cluster ${context} does not accept the user of the kubeconfig`);
    }
    if (status === FORBIDDEN && /exceeded quota/.test(message)) {
      return new NoCapacityError(`cluster ${context}: ${message}`);
    }
    if (status === TOO_MANY || status >= SERVER_ERROR || isRace(status, text)) {
      return new BusyError(`cluster ${context} is busy (${status}): ${message}`);
    }
    const { method = 'GET', path } = call;
    return new ApiError(status, reason, message, `cluster ${context}: ${method} ${path}`);
  }
}

/** Not that the object exists already, which no repetition changes. */
function isRace(status: number, text: string): boolean {
  return status === CONFLICT && statusOf(text, status).reason === 'Conflict';
}

function statusOf(text: string, status: number): { reason: string; message: string } {
  try {
    const { reason, message } = JSON.parse(text) as { reason?: string; message?: string };
    return { reason: reason ?? '', message: message ?? `status ${status}` };
  } catch {
    // A proxy in front of the API sends another format.
    return { reason: '', message: text.slice(0, 200) || `status ${status}` };
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}
