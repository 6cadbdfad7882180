/** The credentials of a request: a token, or the session of a browser. */
import type { IncomingMessage } from 'node:http';
import { SESSION_KEY_HEADER } from '@dstack/contract/session-key';
import { publicAddress, type Trust } from '@dstack/proxy';
import type { ServiceSessionProof, SessionProof } from '@dstack/store';
import { cookieValues } from './cookie.ts';

export interface Credentials {
  readonly authorization: string | undefined;
  /** Null: the request has no cookie, or no key; both are needed. */
  readonly session: SessionClaim | null;
  /** The cookie of a service, at the host name of the service. */
  readonly atService?: ServiceSessionProof | null;
}

export interface SessionClaim extends SessionProof {
  /** Why the request may not use a session; null: it may. */
  readonly refusal: string | null;
}

/** For everything under `/proxy`, where sessions are not accepted. */
export function tokenOnly(authorization: string | undefined): Credentials {
  return { authorization, session: null };
}

export interface CredentialOptions {
  readonly serverId: string;
  readonly trust: Trust;
  /** Public URL of the server; null = not configured. */
  readonly url: string | null;
}

/** Finds the credentials of requests from the pages of this server, and from other programs. */
export class CredentialReader {
  readonly serverId: string;
  readonly #trust: Trust;
  readonly #url: string | null;

  constructor({ serverId, trust, url }: CredentialOptions) {
    this.serverId = serverId;
    this.#trust = trust;
    this.#url = url === null ? null : originOf(url);
  }

  /** `key`: the session's key, if it is not in the header. */
  of(request: IncomingMessage, key?: string): Credentials {
    const { authorization, cookie } = request.headers;
    if (authorization !== undefined || cookie === undefined) return tokenOnly(authorization);
    const given = key ?? request.headers[SESSION_KEY_HEADER];
    const secrets = cookieValues(cookie, this.serverId);
    if (typeof given !== 'string' || secrets.length === 0) return tokenOnly(authorization);
    const session = { key: given, secrets, refusal: this.originRefusal(request) };
    return { authorization, session };
  }

  /** Whether the browser's connection is encrypted, to this server or to a proxy before it. */
  isEncrypted(request: IncomingMessage): boolean {
    const { origin } = request.headers;
    const own = this.#ownOrigins(request);
    const used = origin !== undefined && own.includes(origin) ? origin : own[0];
    return used?.startsWith('https:') === true;
  }

  /**
   * Why pages of this request's origin may not use sessions; null: they may. Browsers omit `Origin` only
   * when a page reads from its own origin.
   */
  originRefusal(request: IncomingMessage): string | null {
    const { method, headers } = request;
    const { origin } = headers;
    const isReading = (method === 'GET' || method === 'HEAD') && headers.upgrade === undefined;
    if (origin === undefined && isReading) {
      const site = headers['sec-fetch-site'] ?? 'same-origin';
      return site === 'same-origin' ? null : 'pages of other sites cannot use sessions';
    }
    const own = this.#ownOrigins(request);
    if (origin !== undefined && own.includes(origin)) return null;
    const expected = own.join(' or ') || 'unknown';
    return `the page's origin is ${quoted(origin)}, and this server's is ${expected}. Behind a proxy, set DSTACK_SERVER_URL to the public URL of the server, or DSTACK_SERVER_TRUSTED_PROXIES to the proxy's address`;
  }

  /** The origins that the browser of this request may see: that of its URL, then the configured one. */
  #ownOrigins({ rawHeaders, socket }: IncomingMessage): string[] {
    const sender = {
      address: socket.remoteAddress ?? '',
      isEncrypted: 'encrypted' in socket,
      trust: this.#trust,
    };
    const { proto, host } = publicAddress(rawHeaders, sender);
    const requested = originOf(`${proto.replace(/^ws/, 'http')}://${host ?? ''}`);
    return [requested, this.#url].filter((origin) => origin !== null);
  }
}

function quoted(origin: string | undefined): string {
  return origin === undefined ? 'not stated' : JSON.stringify(origin.slice(0, 200));
}

/** Null: not a URL. */
function originOf(url: string): string | null {
  return URL.canParse(url) ? new URL(url).origin : null;
}
