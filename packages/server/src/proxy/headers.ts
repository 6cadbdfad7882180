/** What changes in the head of a request on its way to a service, and of the answer on its way back. */
import { confinedCookie, withoutOwnCookies } from './cookies.ts';
import { forwardedHeaders, isOfProxies, isRewritten, type Sender } from './forwarded.ts';
import { passedOn, type RawHeaders } from './raw-headers.ts';

/** Headers by which this server tells services something: nobody else may. */
const FOR_SERVICES = 'x-dstack-';

export interface RequestContext {
  readonly sender: Sender;
  /** What the service's path was cut by; null = it sees the whole path. */
  readonly prefix: string | null;
  /** Name of the caller, who was let in by a token; null = everybody is. */
  readonly user: string | null;
  /** Values of `Authorization` that are for this server. */
  readonly ownAuthorizations: ReadonlySet<string>;
}

/** Everything that the client has sent, but for what is meant for this server or said by it. */
export function requestHeaders(raw: RawHeaders, context: RequestContext): string[] {
  const { sender, prefix, user, ownAuthorizations } = context;
  const headers = passedOn(raw, (name, value) => {
    if (isRewritten(name, sender) || isOurs(name) || isDisguised(name)) return null;
    if (name === 'authorization') return ownAuthorizations.has(value) ? null : value;
    return name === 'cookie' ? withoutOwnCookies(value) : value;
  });
  headers.push(...forwardedHeaders(raw, sender, prefix));
  if (user !== null) headers.push('X-Dstack-User', user);
  return headers;
}

const isOurs = (name: string) => name.startsWith(FOR_SERVICES);

/** Many apps see no difference between `-` and `_`, so what may not be said can be said by neither. */
function isDisguised(name: string): boolean {
  if (!name.includes('_')) return false;
  const meant = name.replaceAll('_', '-');
  return isOurs(meant) || isOfProxies(meant) || meant === 'transfer-encoding';
}

/** This server says when it answered, and what it is. */
const OWN: ReadonlySet<string> = new Set(['date', 'server']);

/** What would hold for everything under this server's name, not for the service alone. */
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
  /** The service's path. */
  readonly path: string;
  /** Whether the app sees its path without that. */
  readonly isStripped: boolean;
  /** The client's name for this server, for redirects that name it. */
  readonly host: string | null;
}

/**
 * Apps answer from the API's own origin. Browsers are told to treat them as strangers there: without
 * scripts, storage and cookies of that origin. What an app adds to the policy can only narrow it.
 */
export const SANDBOX = ['Content-Security-Policy', 'sandbox'] as const;

export function responseHeaders(raw: RawHeaders, context: ResponseContext): string[] {
  const { path, isStripped, host } = context;
  const headers = passedOn(raw, (name, value) => {
    if (OWN.has(name) || FOR_WHOLE_ORIGIN.has(name) || isOurs(name)) return null;
    if (name === 'set-cookie') return confinedCookie(value, path, isStripped);
    return name === 'location' && isStripped ? prefixedLocation(value, path, host) : value;
  });
  headers.push(...SANDBOX);
  return headers;
}

/**
 * A redirect within the service leads to the same place under the prefix; one that has it already,
 * or leads elsewhere, is left alone.
 */
function prefixedLocation(location: string, prefix: string, host: string | null): string {
  const [, origin = '', authority = null, path = ''] =
    /^(https?:\/\/([^/?#]*))?(\/(?!\/).*)?$/i.exec(location) ?? [];
  if (path === '' || (authority !== null && authority !== host)) return location;
  if (path === prefix || path.startsWith(`${prefix}/`)) return location;
  return `${origin}${prefix}${path}`;
}
