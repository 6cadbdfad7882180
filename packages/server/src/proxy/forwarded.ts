/** What a service is told of the way that a request has come. */
import proxyAddr from '@fastify/proxy-addr';
import { type RawHeaders, valuesOf } from './raw-headers.ts';

/** Whether whoever has this address may say where a request came from. */
export type Trust = (address: string) => boolean;

export interface Sender {
  /** Of the connection's other end. */
  readonly address: string;
  readonly isEncrypted: boolean;
  readonly trust: Trust;
}

/** `proxies`: addresses, networks, and the names of networks that Fastify knows. */
export function trustIn(proxies: readonly string[]): Trust {
  if (proxies.length === 0) return () => false;
  const isTrusted = proxyAddr.compile([...proxies]);
  return (address) => isTrusted(address, 0);
}

/** Made anew for each request, whoever sent it. */
const REWRITTEN: ReadonlySet<string> = new Set([
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-prefix',
  'x-forwarded-proto',
]);

/** Names under which proxies tell of the client's address, beside `X-Forwarded-…`. */
const ADDRESSES: ReadonlySet<string> = new Set([
  'cf-connecting-ip',
  'fastly-client-ip',
  'true-client-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-original-forwarded-for',
  'x-real-ip',
]);

/** Whether a header of that name (lower case) is said by proxies only. */
export function isOfProxies(name: string): boolean {
  return name === 'forwarded' || name.startsWith('x-forwarded-') || ADDRESSES.has(name);
}

/** Whether the header is not passed on as it came. */
export function isRewritten(name: string, { address, trust }: Sender): boolean {
  return REWRITTEN.has(name) || (isOfProxies(name) && !trust(address));
}

/** `prefix`: what the service's path was cut by; null = it sees the whole path. */
export function forwardedHeaders(raw: RawHeaders, sender: Sender, prefix: string | null): string[] {
  const isTrusted = sender.trust(sender.address);
  const said = (name: string) => (isTrusted ? lastEntry(raw, name) : null);
  const proto = schemeOf(said('x-forwarded-proto')) ?? (sender.isEncrypted ? 'https' : 'http');
  const host = said('x-forwarded-host') ?? valuesOf(raw, 'host')[0];
  const headers = [
    'X-Forwarded-For',
    (isTrusted ? chain(raw, sender) : [sender.address]).join(', '),
  ];
  headers.push('X-Forwarded-Proto', proto);
  if (host !== undefined) headers.push('X-Forwarded-Host', host);
  const path = (pathOf(said('x-forwarded-prefix')) ?? '') + (prefix ?? '');
  if (path !== '') headers.push('X-Forwarded-Prefix', path);
  const before = isTrusted ? valuesOf(raw, 'forwarded') : [];
  if (before.length > 0) headers.push('Forwarded', [...before, element(sender, proto)].join(', '));
  return headers;
}

/**
 * From the first address that no trusted proxy vouches for to the one that this server sees: what is
 * said before it may be made up by the client.
 */
function chain(raw: RawHeaders, { address, trust }: Sender): string[] {
  const said = valuesOf(raw, 'x-forwarded-for').flatMap(entries);
  const known = [address];
  for (let next = said.pop(); next !== undefined && trust(known[0] ?? ''); next = said.pop()) {
    known.unshift(next);
  }
  return known;
}

function entries(value: string): string[] {
  return value.split(',').flatMap((entry) => entry.trim() || []);
}

/** Of a list to which each proxy adds what it has seen. */
function lastEntry(raw: RawHeaders, name: string): string | null {
  return valuesOf(raw, name).flatMap(entries).at(-1) ?? null;
}

function schemeOf(said: string | null): string | null {
  const scheme = said?.toLowerCase() ?? '';
  return ['http', 'https', 'ws', 'wss'].includes(scheme) ? scheme : null;
}

function pathOf(said: string | null): string | null {
  return said?.startsWith('/') === true && said !== '/' ? said.replace(/\/+$/, '') : null;
}

/** RFC 7239: addresses of IPv6 stand in brackets and quotes. */
function element({ address }: Sender, proto: string): string {
  const node = address.includes(':') ? `"[${address}]"` : address;
  return `for=${node};proto=${proto}`;
}
