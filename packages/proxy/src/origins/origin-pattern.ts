/** The addresses of services that have an origin of their own: one host name each, under one domain. */

export interface OriginPattern {
  readonly scheme: 'http' | 'https';
  /** Without the wildcard, in lower case. */
  readonly domain: string;
  /** `:8443`; empty = the scheme's own. */
  readonly port: string;
}

export interface HostedRun {
  readonly id: string;
  readonly name: string;
}

const PATTERN =
  /^(https?):\/\/\*\.((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*)(:\d{1,5})?\/?$/i;

/** Null: not of the form `https://*.services.example.com`. */
export function parseOriginPattern(text: string): OriginPattern | null {
  const [, scheme, domain = '', port = ''] = PATTERN.exec(text) ?? [];
  if (scheme === undefined) return null;
  const usual = scheme.toLowerCase() === 'https' ? ':443' : ':80';
  return {
    scheme: scheme.toLowerCase() === 'https' ? 'https' : 'http',
    domain: domain.toLowerCase(),
    port: port === usual ? '' : port,
  };
}

/** A label has 63 characters at most. */
const NAME_LENGTH = 50;
const ID_LENGTH = 8;

/**
 * The part of the id keeps runs of one name apart, in other projects and later in the same one: cookies
 * and storage of browsers never reach another run.
 */
export function hostLabel({ id, name }: HostedRun): string {
  return `${name.slice(0, NAME_LENGTH)}-${idPartOf(id)}`;
}

export const idPartOf = (text: string): string => text.replaceAll('-', '').slice(0, ID_LENGTH);

/** Without a slash at the end. */
export function originUrl({ scheme, domain, port }: OriginPattern, run: HostedRun): string {
  return `${scheme}://${hostLabel(run)}.${domain}${port}`;
}

/** The label of a host name under the domain; null: another name. */
export function labelOf({ domain }: OriginPattern, host: string): string | null {
  const [, name = ''] = /^([^:/]+?)\.?(?::\d*)?$/.exec(host.trim().toLowerCase()) ?? [];
  return name.endsWith(`.${domain}`) ? name.slice(0, -domain.length - 1) : null;
}
