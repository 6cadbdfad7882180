import type { SentServices } from '../stored-state.ts';

/** The host names that need certificates. `own`: those that users have given to their services. */
export function namesToSecure(
  sent: SentServices | null,
  tls: boolean,
): { readonly names: string[]; readonly own: ReadonlySet<string> } {
  if (!tls || sent === null) return { names: [], own: new Set() };
  const secure = sent.services.filter(({ https }) => https);
  const domains = new Set(secure.map(({ host }) => domainOf(host)));
  const modelHosts = Object.keys(sent.models).filter((host) => domains.has(domainOf(host)));
  const own = secure.flatMap(({ custom_hosts: names, custom_paths: paths }) => [
    ...(names ?? []),
    ...(paths ?? []).map(({ host }) => host),
  ]);
  return { names: [...secure.map(({ host }) => host), ...modelHosts, ...own], own: new Set(own) };
}

const domainOf = (host: string): string => host.slice(host.indexOf('.'));
