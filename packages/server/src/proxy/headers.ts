/** What changes in the head of a request on its way to a service, and of the answer on its way back. */

/** Names and values in turn, as Node's `rawHeaders` has them: order, case and repetitions are kept. */
export type RawHeaders = readonly string[];

/** Of one connection only (RFC 9110 §7.6.1), and `expect`, which this server has answered itself. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const FORWARDED: ReadonlySet<string> = new Set([
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-prefix',
  'x-forwarded-proto',
]);

/** This server says when it answered, and what it is. */
const OWN: ReadonlySet<string> = new Set(['date', 'server']);

export interface Sender {
  readonly address: string;
  readonly encrypted: boolean;
  /** What the service's path was cut by; null = it sees the whole path. */
  readonly prefix: string | null;
}

/** Everything the client has sent, the token too, but for what belongs to its connection. */
export function requestHeaders(raw: RawHeaders, sender: Sender): string[] {
  const headers = kept(raw, (name) => FORWARDED.has(name));
  const given = (name: string) => headerOf(raw, name);
  const chain = given('x-forwarded-for');
  headers.push('X-Forwarded-For', chain ? `${chain}, ${sender.address}` : sender.address);
  headers.push(
    'X-Forwarded-Proto',
    given('x-forwarded-proto') ?? (sender.encrypted ? 'https' : 'http'),
  );
  const host = given('x-forwarded-host') ?? given('host');
  if (host !== null) headers.push('X-Forwarded-Host', host);
  const prefix = (given('x-forwarded-prefix') ?? '') + (sender.prefix ?? '');
  if (prefix !== '') headers.push('X-Forwarded-Prefix', prefix);
  return headers;
}

/** `host`: the client's name for this server, for redirects that name it. */
export function responseHeaders(
  raw: RawHeaders,
  prefix: string | null,
  host: string | null,
): string[] {
  const headers = kept(raw, (name) => OWN.has(name));
  if (prefix === null) return headers;
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]?.toLowerCase() !== 'location') continue;
    headers[i + 1] = prefixedLocation(headers[i + 1] ?? '', prefix, host);
  }
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

function kept(raw: RawHeaders, isDropped: (name: string) => boolean): string[] {
  const named = (headerOf(raw, 'connection') ?? '').toLowerCase().split(/\s*,\s*/);
  const headers: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const [key, value] = [raw[i] ?? '', raw[i + 1] ?? ''];
    const name = key.toLowerCase();
    if (HOP_BY_HOP.has(name) || named.includes(name) || isDropped(name)) continue;
    headers.push(key, value);
  }
  return headers;
}

/** The first one of that name (lower case); null = there is none. */
export function headerOf(raw: RawHeaders, wanted: string): string | null {
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (raw[i]?.toLowerCase() === wanted) return raw[i + 1] ?? null;
  }
  return null;
}
