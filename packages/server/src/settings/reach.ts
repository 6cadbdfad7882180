import { isIP } from 'node:net';
import type { ServerSettings } from './settings.ts';

/** Whether only local programs can reach a server that listens there. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || name === '::1' || (isIP(name) === 4 && name.startsWith('127.'));
}

/**
 * Why others than local users can reach the server, as the end of a sentence after "since"; null:
 * it is private. A proxy in front of a server that listens on loopback makes it public as well.
 */
export function whyOpen({
  host,
  url,
  trustedProxies,
}: Pick<ServerSettings, 'host' | 'url' | 'trustedProxies'>): string | null {
  if (!isLoopback(host)) return `it listens on ${host}`;
  if (url !== null && !isLoopbackUrl(url)) return `DSTACK_SERVER_URL is ${url}`;
  return trustedProxies.length > 0 ? 'DSTACK_SERVER_TRUSTED_PROXIES names a proxy' : null;
}

function isLoopbackUrl(url: string): boolean {
  return URL.canParse(url) && isLoopback(new URL(url).hostname);
}
