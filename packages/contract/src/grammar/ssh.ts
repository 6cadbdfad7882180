import { parseIpv4, parseIpv6 } from './ip.ts';
import { isPort } from './ports.ts';
import { Problem, quote } from './problem.ts';

/**
 * Values that clients write into OpenSSH's configuration, and that servers use to log in. None of
 * them may contain a blank, a quote, or a `%` or `$` that OpenSSH would expand, or begin like an
 * option.
 */

/** `alice`, `alice@example.org`, `CORP\alice`. */
const USER = /^(?:[A-Za-z0-9_][A-Za-z0-9_.-]*\\)?[A-Za-z0-9_][A-Za-z0-9_.@+-]*$/;
const MAX_USER = 128;

const LABEL = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/;
const MAX_HOST = 253;
const NUMERIC = /^(?:\d+|0x[0-9a-f]*)$/i;

/** Name of the network interface behind an IPv6 address: `fe80::1%eth0`. */
const ZONE = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$/;

/** C0 and C1 controls, and DEL. */
const CONTROL = /[\0-\x1f\x7f-\x9f]/;

export function isSshUserName(text: string): boolean {
  return text.length <= MAX_USER && USER.test(text);
}

/** A host name, an IPv4 address, or an IPv6 address with or without a zone. */
export function isSshHostName(text: string): boolean {
  if (parseIpv4(text) !== undefined) return true;
  if (text.includes(':')) return isIpv6(text);
  if (text.length > MAX_HOST) return false;
  const labels = text.replace(/\.$/, '').split('.');
  // OpenSSH reads `1` and `0x7f.1` as addresses: 0.0.0.1 and 127.0.0.1.
  return labels.every((label) => LABEL.test(label)) && !NUMERIC.test(labels.at(-1) ?? '');
}

function isIpv6(text: string): boolean {
  const [address = '', zone, ...rest] = text.split('%');
  const isAddress = parseIpv6(address) !== undefined;
  return isAddress && rest.length === 0 && (zone === undefined || ZONE.test(zone));
}

/** The rule for user names, for messages. */
export const SSH_USER_RULE = 'letters, digits and _ . - @ +, not beginning with . - @ or +';

export function parseSshUser(text: string): string | Problem {
  if (isSshUserName(text)) return text;
  return new Problem(`must be the name of a login user (${SSH_USER_RULE}), got ${quote(text)}`);
}

export function parseSshHost(text: string): string | Problem {
  if (isSshHostName(text)) return text;
  return new Problem(`must be a host name or an IP address, got ${quote(text)}`);
}

export function parseSshPort(port: number): number | Problem {
  if (Number.isInteger(port) && isPort(port)) return port;
  return new Problem(`must be a port within 1..65535, got ${port}`);
}

/** The path of a private key on the client's machine. */
export function parseSshIdentityFile(path: string): string | Problem {
  if (path !== '' && !CONTROL.test(path)) return path;
  return new Problem(`must be the path of a private key, got ${quote(path)}`);
}

/** Type, key and an optional comment; files of public keys end with a line break. */
const PUBLIC_KEY = /^[a-z0-9@.-]+[ \t]+[A-Za-z0-9+/]+={0,2}(?:[ \t][^\0-\x1f\x7f-\x9f]*)?\r?\n?$/;

/** Whether a text is one line of OpenSSH's `authorized_keys` without options. */
export function isPublicKeyLine(text: string): boolean {
  return PUBLIC_KEY.test(text);
}
