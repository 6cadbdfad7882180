/** The changes to the head of a request to a service, and to the head of its answer. */
import { confinedCookie, hostCookie, withoutOwnCookies } from './cookies.ts';
import { forwardedHeaders, isOfProxies, isRewritten, type Sender } from './forwarded.ts';
import { passedOn, type RawHeaders, valuesOf } from './raw-headers.ts';

/** Prefix of the headers that this server adds for services; clients may not send them. */
const FOR_SERVICES = 'x-dstack-';

export interface RequestContext {
  readonly sender: Sender;
  /** The part of the path that was stripped; null = none. */
  readonly prefix: string | null;
  /** Name of the caller; null for services with `auth: false`. */
  readonly user: string | null;
  /** Values of headers, and cookies with their names, that contain a token of this server. */
  readonly ownValues: ReadonlySet<string>;
  readonly requestId: string;
}

/** Passes on the client's headers, without credentials for this server, and adds this server's own. */
export function requestHeaders(raw: RawHeaders, context: RequestContext): string[] {
  const { sender, prefix, user, ownValues, requestId } = context;
  const headers = passedOn(raw, (name, value) => {
    if (isRewritten(name, sender) || isOurs(name) || isDisguised(name)) return null;
    if (name === 'x-request-id') return null;
    if (name === 'host') return value;
    if (name === 'cookie') return withoutOwnCookies(value, ownValues);
    return ownValues.has(value) ? null : value;
  });
  headers.push(...forwardedHeaders(raw, sender, prefix));
  headers.push('X-Request-Id', requestId);
  if (user !== null) headers.push('X-Dstack-User', user);
  return headers;
}

const isOurs = (name: string) => name.startsWith(FOR_SERVICES);

/** This server sets these headers itself for the app: where the body ends, and the id of the request. */
const SET_HERE: ReadonlySet<string> = new Set([
  'content-length',
  'transfer-encoding',
  'x-request-id',
]);

/** Many frameworks treat `-` and `_` alike, so `X_Dstack_User` must not pass either. */
function isDisguised(name: string): boolean {
  if (!name.includes('_')) return false;
  const read = name.replaceAll('_', '-');
  return isOurs(read) || isOfProxies(read) || SET_HERE.has(read);
}

/** This server sets its own date and name. */
const OWN: ReadonlySet<string> = new Set(['date', 'server']);

/** Headers that browsers apply to the whole origin, not to the service alone. */
const FOR_WHOLE_ORIGIN: ReadonlySet<string> = new Set([
  'alt-svc',
  'clear-site-data',
  'expect-ct',
  'nel',
  'public-key-pins',
  'public-key-pins-report-only',
  'report-to',
  'reporting-endpoints',
  'service-worker-allowed',
  'set-cookie2',
  'strict-transport-security',
]);

export interface ResponseContext {
  /** The service's path; empty = its host name is its own. */
  readonly path: string;
  /** Whether the app receives paths without it. */
  readonly isStripped: boolean;
  /** The `Host` that the client sent; redirects to it are rewritten. */
  readonly host: string | null;
  /** Pages of every origin may read the answer. */
  readonly isOpenToOrigins: boolean;
  /** Its host name is next to those of other services of this server. */
  readonly hasSiblings?: boolean;
  /** Browsers isolate what is below the path from the rest of the origin, which is the API's; true by default. */
  readonly isSandboxed?: boolean;
}

/** For answers that pages of every origin may read. They never include credentials. */
export const OPEN_TO_ORIGINS: Readonly<Record<string, string>> = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': '*',
};

/** The answer to the question of a browser whether a page of another origin may send a request. */
export const PREFLIGHT_ANSWER: Readonly<Record<string, string>> = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Methods': 'GET, POST, PUT, DELETE, PATCH, OPTIONS, HEAD',
  // Browsers do not include `Authorization` in `*`.
  'Access-Control-Allow-Headers': 'Authorization, *',
  'Access-Control-Max-Age': '600',
};

/**
 * Apps are served from the API's own origin, so browsers must isolate them from it: no scripts, no
 * storage, no cookies. A policy of the app can only add restrictions.
 */
export const SANDBOX = ['Content-Security-Policy', 'sandbox'] as const;

export function responseHeaders(raw: RawHeaders, context: ResponseContext): string[] {
  const {
    path,
    isStripped,
    host,
    isOpenToOrigins,
    hasSiblings = false,
    isSandboxed = true,
  } = context;
  // A service with a host name of its own has an origin of its own.
  const ownsOrigin = path === '';
  const headers = passedOn(raw, (name, value) => {
    if (OWN.has(name) || isOurs(name)) return null;
    if (FOR_WHOLE_ORIGIN.has(name) && !ownsOrigin) return null;
    if (isOpenToOrigins && name.startsWith('access-control-')) return null;
    if (hasSiblings && name === 'clear-site-data') return null;
    if (hasSiblings && name === 'set-cookie') return hostCookie(value);
    if (ownsOrigin) return value;
    if (name === 'set-cookie') return confinedCookie(value, path, isStripped);
    return name === 'location' && isStripped ? prefixedLocation(value, path, host) : value;
  });
  if (!ownsOrigin && isSandboxed) headers.push(...SANDBOX);
  if (isOpenToOrigins) headers.push(...Object.entries(OPEN_TO_ORIGINS).flat());
  return headers;
}

/** Fields that have no effect, or a wrong one, after the body (RFC 9110 §6.5.1). */
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set([
  ...['host', 'age', 'cache-control', 'expires', 'date', 'location', 'retry-after', 'vary'],
  ...['set-cookie', 'authorization', 'www-authenticate', 'x-request-id'],
]);

const mayTrail = (name: string) =>
  !NOT_IN_TRAILERS.has(name) &&
  !FOR_WHOLE_ORIGIN.has(name) &&
  !isOurs(name) &&
  !name.startsWith('content-') &&
  !name.startsWith('access-control-');

/** The fields after the body of an answer that are passed on. */
export function trailersOf(raw: RawHeaders): [string, string][] {
  if (raw.length === 0) return [];
  return pairsOf(passedOn(raw, (name, value) => (mayTrail(name) ? value : null)));
}

/** Fields of a request that have no effect after its body, or would speak for the client in another way than its head. */
const NOT_IN_REQUEST_TRAILERS: ReadonlySet<string> = new Set([
  ...['cookie', 'referer', 'range', 'max-forwards', 'pragma', 'from', 'user-agent', 'origin'],
]);

const mayTrailRequest = (name: string) =>
  mayTrail(name) &&
  !NOT_IN_REQUEST_TRAILERS.has(name) &&
  !isOfProxies(name) &&
  !isDisguised(name) &&
  !/^(if|accept|sec)-/.test(name);

/** The fields after the body of a request that are passed on; `ownValues`: as in `RequestContext`. */
export function requestTrailers(
  raw: RawHeaders,
  ownValues: ReadonlySet<string>,
): [string, string][] {
  const passes = (name: string, value: string) => mayTrailRequest(name) && !ownValues.has(value);
  return pairsOf(passedOn(raw, (name, value) => (passes(name, value) ? value : null)));
}

function pairsOf(raw: RawHeaders): [string, string][] {
  return raw.flatMap((name, n) => (n % 2 === 0 ? [[name, raw[n + 1] ?? '']] : []));
}

/** The names that a client announces for after the body, of those that are passed on. */
export function announcedTrailers(raw: RawHeaders): string[] {
  const names = valuesOf(raw, 'trailer').flatMap((value) => value.split(','));
  return names.map((name) => name.trim()).filter((name) => mayTrailRequest(name.toLowerCase()));
}

/**
 * A redirect within the service keeps its target under the prefix; one that has the prefix already,
 * or leads elsewhere, is unchanged.
 */
function prefixedLocation(location: string, prefix: string, host: string | null): string {
  const [, origin = '', authority = null, path = ''] =
    /^(https?:\/\/([^/?#]*))?(\/(?!\/).*)?$/i.exec(location) ?? [];
  if (path === '' || (authority !== null && !isSameHost(origin, authority, host))) return location;
  if (path === prefix || path.startsWith(`${prefix}/`)) return location;
  return `${origin}${prefix}${path}`;
}

/** With and without the port that the scheme has by default. */
function isSameHost(origin: string, authority: string, host: string | null): boolean {
  if (host === null) return false;
  const usual = /^https:/i.test(origin) ? /:443$/ : /:80$/;
  const named = (text: string) => text.toLowerCase().replace(usual, '');
  return named(authority) === named(host);
}
