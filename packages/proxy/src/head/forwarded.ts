/** Headers that describe the client and the proxies before this server. */
import { withoutTrailingSlashes } from '@dstack/contract';
import proxyAddr from '@fastify/proxy-addr';
import { type RawHeaders, valuesOf } from './raw-headers.ts';

/** Whether the forwarded headers of a peer with this address are trusted. */
export type Trust = (address: string) => boolean;

export interface Sender {
  /** Address of the peer of the connection. */
  readonly address: string;
  readonly isEncrypted: boolean;
  readonly trust: Trust;
}

/** `proxies`: addresses, networks, and Fastify's names of networks (`loopback`, …). */
export function trustIn(proxies: readonly string[]): Trust {
  if (proxies.length === 0) return () => false;
  const isTrusted = proxyAddr.compile([...proxies]);
  return (address) => isTrusted(address, 0);
}

/** This server writes these itself, also for requests of trusted proxies. */
const REWRITTEN: ReadonlySet<string> = new Set([
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-prefix',
  'x-forwarded-proto',
]);

/** Other headers in which proxies pass the client's address. */
const ADDRESSES: ReadonlySet<string> = new Set([
  'cf-connecting-ip',
  'fastly-client-ip',
  'true-client-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-original-forwarded-for',
  'x-real-ip',
]);

/** Whether only proxies may send a header of that name (lower case). */
export function isOfProxies(name: string): boolean {
  return name === 'forwarded' || name.startsWith('x-forwarded-') || ADDRESSES.has(name);
}

/** Whether the header is dropped or replaced. */
export function isRewritten(name: string, { address, trust }: Sender): boolean {
  return REWRITTEN.has(name) || (isOfProxies(name) && !trust(address));
}

/** Scheme (`http`, `https`, `ws`, `wss`) and host of the URL that the client has requested. */
export function publicAddress(
  raw: RawHeaders,
  sender: Sender,
): { readonly proto: string; readonly host: string | undefined } {
  const isTrusted = sender.trust(sender.address);
  const trusted = (name: string) => (isTrusted ? lastEntry(raw, name) : null);
  return {
    proto: schemeOf(trusted('x-forwarded-proto')) ?? (sender.isEncrypted ? 'https' : 'http'),
    host: trusted('x-forwarded-host') ?? valuesOf(raw, 'host')[0],
  };
}

/** Address of the client, as far as trusted proxies report it. */
export function clientAddress(raw: RawHeaders, sender: Sender): string {
  if (!sender.trust(sender.address)) return sender.address;
  return chain(raw, sender)[0] ?? sender.address;
}

/** `prefix`: the part of the path that was stripped; null = none. */
export function forwardedHeaders(raw: RawHeaders, sender: Sender, prefix: string | null): string[] {
  const isTrusted = sender.trust(sender.address);
  const { proto, host } = publicAddress(raw, sender);
  const headers = [
    'X-Forwarded-For',
    (isTrusted ? chain(raw, sender) : [sender.address]).join(', '),
  ];
  headers.push('X-Forwarded-Proto', proto);
  if (host !== undefined) headers.push('X-Forwarded-Host', host);
  const before = isTrusted ? lastEntry(raw, 'x-forwarded-prefix') : null;
  const path = (pathOf(before) ?? '') + (prefix ?? '');
  if (path !== '') headers.push('X-Forwarded-Prefix', path);
  const chained = isTrusted ? valuesOf(raw, 'forwarded') : [];
  if (chained.length > 0)
    headers.push('Forwarded', [...chained, element(sender, proto)].join(', '));
  return headers;
}

/**
 * The part of `X-Forwarded-For` that trusted proxies have written, and the peer's own address. The
 * client may have made up everything before it.
 */
function chain(raw: RawHeaders, { address, trust }: Sender): string[] {
  const given = valuesOf(raw, 'x-forwarded-for').flatMap(entries);
  const known = [address];
  for (let next = given.pop(); next !== undefined && trust(known[0] ?? ''); next = given.pop()) {
    known.unshift(next);
  }
  return known;
}

function entries(value: string): string[] {
  return value.split(',').flatMap((entry) => entry.trim() || []);
}

/** The entry that the nearest proxy has added. */
function lastEntry(raw: RawHeaders, name: string): string | null {
  return valuesOf(raw, name).flatMap(entries).at(-1) ?? null;
}

function schemeOf(given: string | null): string | null {
  const scheme = given?.toLowerCase() ?? '';
  return ['http', 'https', 'ws', 'wss'].includes(scheme) ? scheme : null;
}

function pathOf(given: string | null): string | null {
  return given?.startsWith('/') === true && given !== '/' ? withoutTrailingSlashes(given) : null;
}

/** RFC 7239 requires brackets and quotes around IPv6 addresses. */
function element({ address }: Sender, proto: string): string {
  const node = address.includes(':') ? `"[${address}]"` : address;
  return `for=${node};proto=${proto}`;
}
