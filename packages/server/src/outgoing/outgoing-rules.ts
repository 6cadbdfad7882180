import { type BlockList, isIP } from 'node:net';
import { SettingsError } from '@dstack/contract';
import { isHostAddress } from '@dstack/ssh/host-address';
import { embeddedAddress, isPublicAddress, networks } from './public-address.ts';

/** Names of networks in `DSTACK_SERVER_OUTGOING_ALLOW`. */
const WORDS: readonly string[] = ['loopback', 'private'];
const LOOPBACK = ['127.0.0.0/8', '::1/128'];
/** Some clouds have their metadata in the last one: see `isHostAddress`. */
const PRIVATE = networks(['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7']);

const HOST = /^(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/i;

/**
 * The addresses that the server may connect to on behalf of users: the public Internet, and those
 * that the operator allows. Each address is checked when it is connected to, so a name cannot
 * change its address after the check.
 */
export class OutgoingRules {
  readonly #networks: BlockList;
  readonly #allowsPrivate: boolean;
  readonly #hosts: ReadonlySet<string>;
  readonly #domains: readonly string[];

  /** `allowed`: networks, addresses, words of `WORDS`, and hosts (`*.example.com`: all below). */
  constructor(allowed: readonly string[]) {
    const isNetwork = (text: string) => isIP(text.split('/')[0] ?? '') !== 0;
    const loopback = allowed.includes('loopback') ? LOOPBACK : [];
    this.#networks = networks([...allowed.filter(isNetwork), ...loopback]);
    this.#allowsPrivate = allowed.includes('private');
    const names = allowed.filter((text) => !isNetwork(text) && !WORDS.includes(text));
    const hosts = names.map(hostOf);
    this.#hosts = new Set(hosts.filter((host) => !host.startsWith('*.')));
    this.#domains = hosts.filter((host) => host.startsWith('*.')).map((host) => host.slice(1));
  }

  /** Whether a connection to this address is allowed, if it is for `host`. */
  allows(host: string, address: string): boolean {
    return isPublicAddress(address) || this.#allowsHost(hostOf(host)) || this.#holds(address);
  }

  /**
   * The same for a host of an SSH fleet, which may be in a private network, but not on the server's own computer (see
   * `isHostAddress`).
   */
  allowsHost(host: string, address: string): boolean {
    return !isHostAddress(address) || this.#allowsHost(hostOf(host)) || this.#holds(address);
  }

  #allowsHost(host: string): boolean {
    return this.#hosts.has(host) || this.#domains.some((domain) => host.endsWith(domain));
  }

  #holds(address: string): boolean {
    if (isAmong(this.#networks, address)) return true;
    return this.#allowsPrivate && isAmong(PRIVATE, address) && !isHostAddress(address);
  }
}

function isAmong(list: BlockList, address: string): boolean {
  const family = isIP(address);
  if (family === 0 || address.includes('%')) return false;
  if (list.check(address, family === 6 ? 'ipv6' : 'ipv4')) return true;
  const isMapped = family === 6 && /^::ffff:/i.test(address);
  return isMapped && list.check(embeddedAddress(address), 'ipv4');
}

/** Throws `SettingsError` for what is neither a network nor a host. */
export function parseOutgoingAllow(text: string): string[] {
  const parts = text.split(',').map((part) => part.trim());
  return parts.filter((part) => {
    if (part === '') return false;
    if (WORDS.includes(part) || isNetworkText(part) || HOST.test(part)) return true;
    throw new SettingsError(
      `DSTACK_SERVER_OUTGOING_ALLOW names ${JSON.stringify(part)}; it may name addresses, networks ` +
        `such as 10.0.0.0/8, hosts such as registry.corp or *.corp, ${WORDS.join(', ')}`,
    );
  });
}

function isNetworkText(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return (
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
  );
}

/** Names are compared without regard to case and a final dot. */
function hostOf(text: string): string {
  return text.toLowerCase().replace(/\.$/, '');
}

/** The hosts of an operator's setting, given as a URL or as `host[:port][/path]`. */
export function hostsOfSettings(...values: readonly (string | null)[]): string[] {
  return values.flatMap((value) => {
    if (!value) return [];
    const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `https://${value}`;
    // `user@host:path`, an SSH repository, is not a URL.
    const scp = /^(?:[^@/]+@)?([^:/]+):(?!\/\/|\d+(?:\/|$))/.exec(value);
    if (scp?.[1]) return [scp[1]];
    return URL.canParse(url) ? [new URL(url).hostname.replace(/^\[|\]$/g, '')] : [];
  });
}
