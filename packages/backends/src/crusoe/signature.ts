/** Signatures of calls to Crusoe's API, and the time that they are made with. */
import { createHmac } from 'node:crypto';

export interface SigningKey {
  readonly accessKey: string;
  /** In base64url. */
  readonly secretKey: string;
}

export interface SigningOptions extends SigningKey {
  /** The address of the API; its own path is not signed. */
  readonly endpoint: string;
  readonly fetch?: typeof fetch | undefined;
  /** Milliseconds since the epoch; omitted: the clock of this computer. */
  readonly now?: (() => number) | undefined;
}

const VERSION = '1.0';
/** The signed text begins with the version of the API, wherever that is reached. */
const API_VERSION = '/v1alpha5';
/** A clock that differs by more makes the provider refuse signatures. */
const SKEW_MS = 60_000;
const REFUSED = 401;

/** The beginning of the header, which shows whether a header can have this key at all. */
export const authorization = (accessKey: string, signature = ''): string =>
  `Bearer ${VERSION}:${accessKey}:${signature}`;

/**
 * A `fetch` that signs. A call that is refused while the clock of this computer is wrong is signed again, with the
 * provider's time: it was not carried out.
 */
export function signingFetch(options: SigningOptions): typeof fetch {
  const { endpoint, accessKey, secretKey, fetch: send = fetch, now = Date.now } = options;
  let skewMs = 0;
  return async (input, init) => {
    const url = String(input);
    const [path = '', query = ''] = url.slice(endpoint.length).split('?');
    const signed = () => {
      const timestamp = timestampOf(now() + skewMs);
      const headers = new Headers(init?.headers);
      const of = { method: init?.method ?? 'GET', path, query, timestamp };
      headers.set('x-crusoe-timestamp', timestamp);
      headers.set('authorization', authorization(accessKey, signatureOf(secretKey, of)));
      return send(url, { ...init, headers });
    };
    const answer = await signed();
    const found = Date.parse(answer.headers.get('date') ?? '') - now();
    // Not a number where the answer has no time.
    if (answer.status !== REFUSED || !(Math.abs(found - skewMs) > SKEW_MS)) return answer;
    skewMs = found;
    return await signed();
  };
}

export interface SignedCall {
  readonly method: string;
  /** Below the version of the API. */
  readonly path: string;
  /** As it is sent, without a question mark. */
  readonly query: string;
  readonly timestamp: string;
}

export function signatureOf(secretKey: string, call: SignedCall): string {
  const { method, path, query, timestamp } = call;
  const parameters = query === '' ? '' : query.split('&').toSorted().join('&');
  const text = `${API_VERSION}${path}\n${parameters}\n${method}\n${timestamp}\n`;
  return createHmac('sha256', Buffer.from(secretKey, 'base64url')).update(text).digest('base64url');
}

/** Such as `2026-08-01T12:00:00+00:00`. */
const timestampOf = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, '+00:00');
