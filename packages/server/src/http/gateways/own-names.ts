/** Host names of the server itself, which no gateway may serve. */
import { isWithinDomain } from '@dstack/core';
import type { HttpDeps } from '../ports.ts';

type OwnNames = Pick<HttpDeps['settings'], 'url' | 'serviceOrigins'>;

/**
 * The first name of the server that `name` is, or with `isDomain` has below it; null = there is none. The names
 * below the domain of services' own origins are the server's too.
 */
export function ownNameWithin(
  { url, serviceOrigins }: OwnNames,
  name: string,
  { isDomain }: { readonly isDomain: boolean },
): string | null {
  const server = url === null ? null : new URL(url).hostname.toLowerCase();
  if (server !== null && (server === name || (isDomain && isWithinDomain(server, name)))) {
    return server;
  }
  const origins = serviceOrigins?.domain ?? null;
  if (origins === null) return null;
  const isBelow = isWithinDomain(name, origins);
  return isBelow || (isDomain && isWithinDomain(origins, name)) ? `*.${origins}` : null;
}

/** Why a gateway may not have this domain, and which one it may have; null = it may. */
export function domainProblem(settings: OwnNames, domain: string): string | null {
  const own = ownNameWithin(settings, domain, { isDomain: true });
  if (own === null) return null;
  const isOfServices = own.startsWith('*.');
  const whose = isOfServices ? 'names of services without a gateway' : 'address of this server';
  const free = ['apps', 'gateway']
    .map((label) => `${label}.${domain}`)
    .find((name) => ownNameWithin(settings, name, { isDomain: true }) === null);
  const advice = free ? `use another one, such as ${free}` : `use one outside ${own.slice(2)}`;
  return `\`domain\` ${domain} covers ${own}, the ${whose}: ${advice}`;
}
