import { SESSION_KEY_HEADER } from '@dstack/contract/session-key';
import { ConnectionError, errorFromAnswer, NotDstackError, TimeoutError } from './errors.ts';
import { readEventStream, type ServerSentEvent } from './event-stream.ts';
import type { Exchange, HttpMethod, HttpResponse } from './exchange.ts';
import type { OpenWebSocket, WebSocketLike } from './web-socket.ts';

/** The transport's complete options, with defaults applied (see `createClient`). */
export interface TransportOptions {
  /** Without a slash at the end. */
  readonly baseUrl: string;
  readonly token: string | null;
  /** The key of a browser's session, read for each request that is sent without a token. */
  readonly sessionKey: () => string | null;
  readonly apiVersion: string;
  readonly userAgent: string;
  readonly exchange: Exchange;
  readonly webSocket: OpenWebSocket;
  /** Limit of the whole call, from the first byte sent to the last received, in ms. */
  readonly timeoutMs: number;
  /** The number of retries after the first attempt. */
  readonly retries: number;
  readonly wait: (ms: number, signal?: AbortSignal) => Promise<void>;
}

export interface CallOptions {
  /** Instead of the client's. */
  readonly token?: string;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

type Query = Readonly<Record<string, string | number | null | undefined>>;

/** Statuses of proxies in front of a server that is down for a moment. */
const TEMPORARY = new Set([502, 503, 504]);
/** With these errors nothing reached the server, so that writes can be retried safely as well. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ENOENT', 'EHOSTUNREACH']);
const RETRY_DELAYS_MS = [250, 1000, 2000];

/** Sends calls: authentication, version header, timeouts, retries, errors by class. */
export class Transport {
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  get baseUrl(): string {
    return this.#options.baseUrl;
  }

  /** The pause between two polls; rejects with the signal's reason. */
  get wait(): TransportOptions['wait'] {
    return this.#options.wait;
  }

  /**
   * A call that changes nothing. It is repeated when a connection breaks or a proxy answers
   * "unavailable".
   */
  read<T>(path: string, body?: unknown, options?: CallOptions): Promise<T> {
    return this.#call<T>('POST', path, json(body), true, options);
  }

  /** A call that changes something. It is repeated only if it certainly did not arrive. */
  write<T>(path: string, body?: unknown, options?: CallOptions): Promise<T> {
    return this.#call<T>('POST', path, json(body), false, options);
  }

  /** Without a body and a result. */
  delete(path: string, options?: CallOptions): Promise<void> {
    return this.#call('DELETE', path, NO_BODY, true, options);
  }

  get<T>(path: string, query: Query, options?: CallOptions): Promise<T> {
    return this.#call<T>('GET', withQuery(path, query), NO_BODY, true, options);
  }

  /**
   * Uploads bytes as the multipart field `file`, with their hash as the file name, as the API
   * requires.
   */
  upload<T>(
    path: string,
    query: Query,
    hash: string,
    bytes: Uint8Array,
    options?: CallOptions,
  ): Promise<T> {
    const body = multipart(hash, bytes);
    // Uploads are keyed by content, so uploading the same bytes twice is harmless.
    return this.#call<T>('POST', withQuery(path, query), body, true, {
      timeoutMs: 600_000,
      ...options,
    });
  }

  /**
   * Opens a server-sent event stream; ends when the server closes it. There is no time limit, but a
   * connection without even a keep-alive comment is closed. `posted`: the body of a POST that begins it.
   */
  async *events(
    path: string,
    query: Query,
    signal: AbortSignal,
    lastEventId: string | null = null,
    posted?: unknown,
  ): AsyncGenerator<ServerSentEvent, void> {
    const target = withQuery(path, query);
    const method = posted === undefined ? 'GET' : 'POST';
    const request = `${method} ${path}`;
    const broken = (error: unknown) => {
      if (signal.aborted) return signal.reason;
      return new ConnectionError(this.#options.baseUrl, request, error);
    };
    const silence = new Silence(STREAM_SILENCE_MS);
    const stop = AbortSignal.any([signal, silence.signal]);
    try {
      const how = { signal: stop, accept: 'text/event-stream', lastEventId };
      const opening = this.#open(
        method,
        target,
        posted === undefined ? NO_BODY : json(posted),
        how,
      );
      const response = await opening.catch((error: unknown) => {
        throw broken(error);
      });
      await requireEvents(request, response);
      const body = silence.watch(response.body);
      yield* readEventStream(failingAs(broken, body));
    } finally {
      silence.end();
    }
  }

  /** `name` is for reports. The credentials are a header, or in browsers a protocol. */
  webSocket(path: string, query: Query): { readonly socket: WebSocketLike; readonly name: string } {
    const { baseUrl, token, sessionKey, webSocket } = this.#options;
    const key = token === null ? sessionKey() : null;
    const protocols = [SOCKET_PROTOCOL, ...(key === null ? [] : [`dstack.key.${key}`])];
    const headers: Record<string, string> =
      token === null ? {} : { authorization: `Bearer ${token}` };
    const url = baseUrl.replace(/^http/, 'ws') + withQuery(path, query);
    return { socket: webSocket(url, protocols, headers), name: `GET ${path}` };
  }

  async #call<T>(
    method: HttpMethod,
    path: string,
    body: Body,
    repeatable: boolean,
    options: CallOptions = {},
  ): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      const outcome = await this.#attempt<T>(method, path, body, options);
      if (outcome.ok) return outcome.value;
      const again = outcome.neverSent || (repeatable && outcome.temporary);
      if (!again || attempt >= this.#options.retries) throw outcome.error;
      await this.#options.wait(RETRY_DELAYS_MS[attempt] ?? 2000, options.signal);
    }
  }

  async #attempt<T>(
    method: HttpMethod,
    path: string,
    body: Body,
    options: CallOptions,
  ): Promise<Outcome<T>> {
    const { baseUrl } = this.#options;
    const timeoutMs = options.timeoutMs ?? this.#options.timeoutMs;
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
    const request = `${method} ${path.split('?')[0]}`;
    try {
      const how = { signal, accept: 'application/json', token: options.token };
      const response = await this.#open(method, path, body, how);
      const parsed = parseBody(await readAll(response.body), response);
      if (isForeign(response, parsed)) {
        const program = response.headers.server ?? null;
        const error = new NotDstackError(baseUrl, request, response.status, program);
        return { ok: false, error, neverSent: false, temporary: false };
      }
      if (response.status >= 200 && response.status < 300) return { ok: true, value: parsed as T };
      const error = errorFromAnswer(request, response.status, parsed, requestId(response));
      return { ok: false, error, neverSent: false, temporary: TEMPORARY.has(response.status) };
    } catch (error) {
      if (options.signal?.aborted) throw options.signal.reason;
      if (timeout.aborted) {
        const late = new TimeoutError(baseUrl, request, timeoutMs);
        return { ok: false, error: late, neverSent: false, temporary: false };
      }
      const broken = new ConnectionError(baseUrl, request, error);
      const neverSent = broken.errorCode !== null && NEVER_SENT.has(broken.errorCode);
      return { ok: false, error: broken, neverSent, temporary: true };
    }
  }

  #open(method: HttpMethod, path: string, body: Body, options: OpenOptions): Promise<HttpResponse> {
    const { signal, accept, lastEventId, token = this.#options.token ?? undefined } = options;
    const { baseUrl, sessionKey, apiVersion, userAgent, exchange } = this.#options;
    const headers: Record<string, string> = {
      accept,
      'x-api-version': apiVersion,
      'user-agent': userAgent,
    };
    const key = token === undefined ? sessionKey() : null;
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    if (key !== null) headers[SESSION_KEY_HEADER] = key;
    if (lastEventId) headers['last-event-id'] = lastEventId;
    if (body.type !== null) headers['content-type'] = body.type;
    return exchange({ method, url: baseUrl + path, headers, body: body.bytes, signal });
  }
}

async function* failingAs<T>(
  failure: (error: unknown) => unknown,
  source: AsyncIterable<T>,
): AsyncGenerator<T, void> {
  try {
    yield* source;
  } catch (error) {
    throw failure(error);
  }
}

async function requireEvents(request: string, response: HttpResponse): Promise<void> {
  const { status, headers, body } = response;
  if (status === 200 && (headers['content-type'] ?? '').includes('text/event-stream')) return;
  const text = await readAll(body);
  // A server without this endpoint may answer any GET with its web page.
  if (status === 200) throw errorFromAnswer(request, 404, null, requestId(response));
  throw errorFromAnswer(request, status, parseBody(text, response), requestId(response));
}

const SOCKET_PROTOCOL = 'dstack.v1';

/** Servers send a comment every 15 s. */
const STREAM_SILENCE_MS = 60_000;

/**
 * Aborts when nothing was received for some time: the other side may have vanished without closing.
 */
class Silence {
  readonly #controller = new AbortController();
  readonly #ms: number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ms: number) {
    this.#ms = ms;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Only time spent waiting counts: a slow reader receives nothing through its own fault. */
  async *watch(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
    const chunks = body[Symbol.asyncIterator]();
    try {
      for (;;) {
        this.#timer = setTimeout(() => this.#giveUp(), this.#ms);
        const { done, value } = await chunks.next();
        this.end();
        if (done) return;
        yield value;
      }
    } finally {
      await chunks.return?.();
    }
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  #giveUp(): void {
    this.#controller.abort(new Error(`no data received for ${this.#ms / 1000} s`));
  }
}

interface OpenOptions {
  readonly signal: AbortSignal;
  readonly accept: string;
  readonly token?: string | undefined;
  readonly lastEventId?: string | null;
}

interface Body {
  readonly type: string | null;
  readonly bytes: Uint8Array | null;
}

type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | {
      readonly ok: false;
      readonly error: Error;
      readonly neverSent: boolean;
      readonly temporary: boolean;
    };

const NO_BODY: Body = { type: null, bytes: null };

function json(body: unknown): Body {
  if (body === undefined) return NO_BODY;
  return { type: 'application/json', bytes: new TextEncoder().encode(JSON.stringify(body)) };
}

/** Bytes of the request that uploads `length` bytes, for comparison with the limit of a server. */
export function uploadSize(hash: string, length: number): number {
  const { head, tail } = multipartFrame(hash, length);
  return head.byteLength + length + tail.byteLength;
}

function multipartFrame(hash: string, length: number) {
  const boundary = `dstack-${hash.slice(0, 32)}-${length}`;
  const head = new TextEncoder().encode(
    `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="${hash}"\r\n` +
      'content-type: application/octet-stream\r\n\r\n',
  );
  const tail = new TextEncoder().encode(`\r\n--${boundary}--\r\n`);
  return { boundary, head, tail };
}

function multipart(hash: string, content: Uint8Array): Body {
  const { boundary, head, tail } = multipartFrame(hash, content.byteLength);
  const bytes = new Uint8Array(head.byteLength + content.byteLength + tail.byteLength);
  bytes.set(head, 0);
  bytes.set(content, head.byteLength);
  bytes.set(tail, head.byteLength + content.byteLength);
  return { type: `multipart/form-data; boundary=${boundary}`, bytes };
}

function withQuery(path: string, query: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined) search.set(name, String(value));
  }
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

async function readAll(body: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

function parseBody(text: string, response: HttpResponse): unknown {
  if (text === '') return null;
  if (!(response.headers['content-type'] ?? '').includes('json')) return text;
  try {
    return JSON.parse(text);
  } catch {
    // The body claims to be JSON but is not; its text is more useful than a syntax error.
    return text;
  }
}

/**
 * A server answers calls with JSON, or with nothing. A page with one of the temporary statuses comes
 * from a proxy in front of a server.
 */
function isForeign({ status }: HttpResponse, body: unknown): boolean {
  if (typeof body !== 'string' || TEMPORARY.has(status)) return false;
  const isSuccess = status >= 200 && status < 300;
  return isSuccess || body.trimStart().startsWith('<');
}

function requestId(response: HttpResponse): string | null {
  return response.headers['x-request-id'] ?? null;
}
