import type { lookup } from 'node:dns';
import { errorMessage } from '@dstack/contract/error-message';
import { Agent, type Dispatcher, request } from 'undici';
import { guardedConnector } from './guarded-connect.ts';
import { OutgoingFailed, OutgoingRefused } from './outgoing-error.ts';
import type { OutgoingRules } from './outgoing-rules.ts';

export interface OutgoingRequest {
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes of the longest accepted response. */
  readonly maxBytes: number;
  /** Ends it early; it has `TIMEOUT_MS` otherwise. */
  readonly signal?: AbortSignal;
}

/** A request whose redirects the caller does not want to be followed. */
export interface OutgoingSending extends OutgoingRequest {
  readonly method: 'GET' | 'POST';
  readonly body?: string;
}

export interface OutgoingAnswer {
  readonly status: number;
  header(name: string): string | null;
  readonly body: Buffer;
}

const TIMEOUT_MS = 15_000;
/** Milliseconds for which an idle connection is kept for the next request. */
const KEPT_MS = 2000;
const MOST_REDIRECTS = 5;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Headers that must not reach another origin after a redirect. */
const CREDENTIALS: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'proxy-authorization',
]);

/**
 * The HTTP client for addresses that users choose (registries, hubs): every hop must be allowed by
 * the rules, credentials are sent only to their own origin, and sizes and times are bounded.
 */
export class Outgoing {
  readonly rules: OutgoingRules;
  readonly #agent: Agent;

  /** `resolve`: for tests; the system's by default. */
  constructor(rules: OutgoingRules, resolve?: typeof lookup) {
    this.rules = rules;
    this.#agent = new Agent({
      connect: guardedConnector(rules, resolve),
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      // A connection must not outlive the address of its name for long.
      keepAliveTimeout: KEPT_MS,
      keepAliveMaxTimeout: KEPT_MS,
    });
  }

  /** Follows redirects and returns a response of any status. Throws `OutgoingRefused` or `OutgoingFailed`. */
  async get(url: string | URL, asked: OutgoingRequest): Promise<OutgoingAnswer> {
    const signal = limited(asked.signal);
    let target = parsed(url);
    let headers = asked.headers ?? {};
    for (let hop = 0; hop <= MOST_REDIRECTS; hop++) {
      checkProtocol(target);
      const response = await this.#once(target, { headers, signal });
      const next = redirectOf(response, target);
      if (next === null) return await answerOf(response, asked.maxBytes);
      await discard(response);
      if (target.protocol === 'https:' && next.protocol !== 'https:') {
        throw new OutgoingRefused({ rule: 'protocol', protocol: next.protocol });
      }
      if (next.origin !== target.origin) headers = withoutCredentials(headers);
      target = next;
    }
    throw new OutgoingRefused({ rule: 'redirects', most: MOST_REDIRECTS });
  }

  /** Returns a response of any status, also a redirect. Throws as `get` does. */
  async send(url: string | URL, { signal, maxBytes, ...asked }: OutgoingSending) {
    const target = parsed(url);
    checkProtocol(target);
    const response = await this.#once(target, { ...asked, signal: limited(signal) });
    return await answerOf(response, maxBytes);
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #once(url: URL, options: Partial<Omit<OutgoingSending, 'maxBytes'>>) {
    try {
      return await request(url, { dispatcher: this.#agent, ...options });
    } catch (error) {
      throw asOutgoingError(error);
    }
  }
}

function limited(signal: AbortSignal | undefined): AbortSignal {
  const deadline = AbortSignal.timeout(TIMEOUT_MS);
  return signal ? AbortSignal.any([signal, deadline]) : deadline;
}

function parsed(url: string | URL): URL {
  if (url instanceof URL) return url;
  if (!URL.canParse(url)) throw new OutgoingFailed(`${url} is not a URL`);
  return new URL(url);
}

function checkProtocol({ protocol }: URL): void {
  if (protocol !== 'https:' && protocol !== 'http:') {
    throw new OutgoingRefused({ rule: 'protocol', protocol });
  }
}

type Response = Dispatcher.ResponseData;

function redirectOf({ statusCode, headers }: Response, from: URL): URL | null {
  const { location } = headers;
  if (!REDIRECTS.has(statusCode) || typeof location !== 'string') return null;
  return URL.canParse(location, from.href) ? new URL(location, from) : null;
}

function withoutCredentials(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !CREDENTIALS.has(name.toLowerCase())),
  );
}

async function answerOf(response: Response, maxBytes: number): Promise<OutgoingAnswer> {
  const { statusCode, headers } = response;
  return {
    status: statusCode,
    header: (name) => {
      const value = headers[name.toLowerCase()];
      return (Array.isArray(value) ? value[0] : value) ?? null;
    },
    body: await bodyOf(response, maxBytes),
  };
}

async function bodyOf({ body }: Response, maxBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of body) {
      size += part.length;
      if (size > maxBytes) throw new OutgoingRefused({ rule: 'size', bytes: maxBytes });
      parts.push(part);
    }
  } catch (error) {
    throw asOutgoingError(error);
  }
  return Buffer.concat(parts);
}

/** The body of a redirect is not read. */
async function discard({ body }: Response): Promise<void> {
  body.on('error', () => {});
  body.destroy();
}

function asOutgoingError(error: unknown): Error {
  if (error instanceof OutgoingRefused) return error;
  const message = errorMessage(error);
  return new OutgoingFailed(message, { cause: error });
}
