/** Host names of the server itself, which no gateway may serve. */
import { isWithinDomain } from '@dstack/core';
import type { HttpDeps } from '../ports.ts';

/**
 * The first name of the server that `name` is, or with `isDomain` has below it; null = there is none. The names
 * below the domain of services' own origins are the server's too.
 */
export function ownNameWithin(
  { url, serviceOrigins }: Pick<HttpDeps['settings'], 'url' | 'serviceOrigins'>,
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
