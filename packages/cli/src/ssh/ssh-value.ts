import { isSshHostName, isSshUserName } from '@dstack/contract/ssh';
import { CliError } from '../errors.ts';

declare const checked: unique symbol;

/**
 * A value for an OpenSSH configuration, quoted if needed. Only the functions of this file create
 * one, so values from the server are always checked.
 */
export type SshValue = string & { readonly [checked]: true };

/** A constant. */
export function fixed(word: 'yes' | 'no' | 'ERROR' | '/dev/null' | 'localhost'): SshValue {
  return word as string as SshValue;
}

/** The name of a run or job, which becomes the name of a host, a file name and an argument. */
const ALIAS = /^[a-z0-9][a-z0-9-]{0,99}$/;

/** @param value a name that the server gave to a run or job */
export function aliasValue(value: unknown): SshValue {
  if (typeof value === 'string' && ALIAS.test(value)) return value as SshValue;
  throw unusable('the name of the run', value);
}

/** @param of the owner of the name, for the message */
export function hostNameValue(value: unknown, of: string): SshValue {
  if (typeof value !== 'string' || !isSshHostName(value))
    throw unusable(`the address of ${of}`, value);
  // OpenSSH's own escapes begin with `%`, like the zone of an address.
  return value.replaceAll('%', '%%') as SshValue;
}

export function userValue(value: unknown, of: string): SshValue {
  if (typeof value === 'string' && isSshUserName(value)) return value as SshValue;
  throw unusable(`the login user of ${of}`, value);
}

export function portValue(value: unknown, of: string): SshValue {
  return String(portNumber(value, `the SSH port of ${of}`)) as SshValue;
}

/** @param what the port, for the message */
export function portNumber(value: unknown, what: string): number {
  if (isPort(value)) return value;
  throw unusable(what, value);
}

function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535;
}

/** A path on the user's computer, taken literally. */
export function pathValue(path: string): SshValue {
  return quotedPath(path, path.replaceAll('%', '%%'));
}

/** A path of the user's own configuration, with OpenSSH's escapes. */
export function configuredPath(path: string): SshValue {
  return quotedPath(path, path);
}

/** Quotes, escapes of quotes and variables cannot be quoted for every version of OpenSSH. */
const INEXPRESSIBLE = /[\0-\x1f\x7f"]|\\(?:["'\\]|$)|\$\{/;
const PLAIN = /^[A-Za-z0-9_./~@:+,%-]+$/;

function quotedPath(path: string, escaped: string): SshValue {
  if (INEXPRESSIBLE.test(path)) {
    throw new CliError(`OpenSSH cannot use the path ${JSON.stringify(path)}`, {
      why: 'its configuration has no way to write quotes, control characters or ${',
      next: 'use a path without them',
    });
  }
  return (PLAIN.test(escaped) ? escaped : `"${escaped}"`) as SshValue;
}

const SHOWN = 80;

function unusable(what: string, value: unknown): CliError {
  const shown = (JSON.stringify(value) ?? 'nothing').slice(0, SHOWN);
  return new CliError('The server returned an address of the run that SSH cannot use', {
    why: `${what} is ${shown}`,
    next: 'correct it in the configuration of the fleet or run, or report it to the administrator of the server',
  });
}
