import { expect, it } from 'vitest';
import { checkPem } from './pem.ts';
import { AUTHORITY, AUTHORITY_KEY, KEY, OWN } from './testing/pems.ts';

const LOCKED = '-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIH\n-----END ENCRYPTED PRIVATE KEY-----';
const NOW = Date.parse('2030-01-01T00:00:00Z');

it('accepts a certificate with its chain and key, and reads the names of hosts from it', () => {
  const checked = checkPem(`comments before\n${OWN}\n${AUTHORITY}\n`, KEY, NOW);
  expect(checked.names).toEqual(['*.apps.example.com', 'other.example.org']);
  expect(checked.expiresAt.getUTCFullYear()).toBe(2035);
});

it.each([
  ['no certificate', KEY, KEY, NOW, /contains no certificate in PEM/],
  ['a broken one', OWN.replace('MII', 'MIX'), KEY, NOW, /Certificate 1 .* cannot be read/],
  ['no key', OWN, OWN, NOW, /`key` contains no private key in PEM$/],
  ['a key with a password', OWN, LOCKED, NOW, /protected by a password.*openssl pkey/],
  ['the key of another one', OWN, AUTHORITY_KEY, NOW, /not the key of `certificate`/],
  ['the chain before it', `${AUTHORITY}\n${OWN}`, KEY, NOW, /belongs to certificate 2/],
  ['another chain', `${OWN}\n${OWN}`, KEY, NOW, /2 of the chain did not sign/],
  ['an expired one', OWN, KEY, Date.parse('2036-01-01'), /expired on 2035-.*: renew it/],
  ['an early one', OWN, KEY, Date.parse('2026-01-01'), /not valid before 2026-11-27/],
  ['one without names', AUTHORITY, AUTHORITY_KEY, NOW, /names no host/],
  ['a long chain', Array(11).fill(OWN).join('\n'), KEY, NOW, /11 certificates; at most 10/],
])('refuses %s', (_what, certificate, key, now, message) => {
  expect(() => checkPem(certificate, key, now)).toThrow(message);
});

it('reads hostile texts in time', () => {
  const opening = '-----BEGIN CERTIFICATE-----';
  for (const text of [
    opening.repeat(2000),
    `${opening}${'A'.repeat(60_000)}`,
    '-'.repeat(65_000),
  ]) {
    expect(() => checkPem(text, KEY, NOW)).toThrow(/no certificate/);
  }
});
