/** Checks certificates that people set for gateways. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { ruleError } from '@dstack/contract/api';
import { errorMessage } from '@dstack/contract/error-message';

export interface CheckedPem {
  /** The host names, or `*.` and a host name, that it is valid for; in lower case. */
  readonly names: readonly string[];
  readonly expiresAt: Date;
}

/** Certificates in one file: the own one, and those of the authorities that signed it. */
const MAX_CHAIN = 10;
const MAX_NAMES = 100;
const BLOCK = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
const HOST = /^(\*\.)?[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?)+$/;

/** `now`: milliseconds. Throws `ApiError` with what is wrong. */
export function checkPem(certificate: string, key: string, now: number): CheckedPem {
  const chain = chainOf(certificate);
  const [own] = chain;
  if (own === undefined) {
    throw ruleError(
      '`certificate` contains no certificate in PEM: it must begin with -----BEGIN CERTIFICATE-----',
    );
  }
  checkKey(chain, own, keyOf(key));
  for (const [index, one] of chain.entries()) {
    checkTime(one, index === 0 ? 'The certificate' : `Certificate ${index + 1} of the chain`, now);
    const signer = chain[index + 1];
    if (signer && !one.checkIssued(signer)) {
      throw ruleError(
        `Certificate ${index + 2} of the chain did not sign the one before it: put the own certificate first, then the one that signed it, and so on`,
      );
    }
  }
  return { names: namesOf(own), expiresAt: new Date(own.validTo) };
}

function chainOf(text: string): X509Certificate[] {
  const blocks = text.match(BLOCK) ?? [];
  if (blocks.length > MAX_CHAIN) {
    throw ruleError(
      `\`certificate\` contains ${blocks.length} certificates; at most ${MAX_CHAIN} are accepted`,
    );
  }
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      throw ruleError(
        `Certificate ${index + 1} of \`certificate\` cannot be read: ${errorMessage(error)}`,
      );
    }
  });
}

function keyOf(text: string): KeyObject {
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text)) {
    throw ruleError(
      '`key` is protected by a password: remove it by `openssl pkey -in KEY -out NEW_KEY`',
    );
  }
  try {
    return createPrivateKey(text);
  } catch {
    // The error of the library may quote parts of the key.
    throw ruleError('`key` contains no private key in PEM');
  }
}

function checkKey(chain: readonly X509Certificate[], own: X509Certificate, key: KeyObject): void {
  if (own.checkPrivateKey(key)) return;
  const index = chain.findIndex((one) => one.checkPrivateKey(key));
  throw ruleError(
    index > 0
      ? `The key belongs to certificate ${index + 1} of \`certificate\`: put that one first`
      : '`key` is not the key of `certificate`',
  );
}

function checkTime({ validFrom, validTo }: X509Certificate, what: string, now: number): void {
  if (Date.parse(validTo) <= now) {
    throw ruleError(`${what} expired on ${new Date(validTo).toISOString()}: renew it`);
  }
  if (Date.parse(validFrom) > now) {
    throw ruleError(`${what} is not valid before ${new Date(validFrom).toISOString()}`);
  }
}

function namesOf({ subjectAltName = '' }: X509Certificate): string[] {
  const entries = subjectAltName.split(', ').filter((entry) => entry.startsWith('DNS:'));
  const names = entries.map((entry) => entry.slice('DNS:'.length).toLowerCase());
  const usable = [...new Set(names.filter((name) => HOST.test(name)))];
  if (usable.length === 0) {
    throw ruleError(
      'The certificate names no host: it needs subject alternative names (DNS), such as *.apps.example.com',
    );
  }
  if (usable.length > MAX_NAMES) {
    throw ruleError(
      `The certificate names ${usable.length} hosts; at most ${MAX_NAMES} are accepted`,
    );
  }
  return usable;
}
