import { expect, it } from 'vitest';
import { AUTHORITY, AUTHORITY_KEY, KEY, OWN } from '../http/gateways/testing/pems.ts';
import { newerCertificates } from './shared-certificates.ts';

const NOW = Date.parse('2030-01-01T00:00:00Z');
const own = { domain: 'a.apps.example.com', certificate: OWN, key: KEY };
const root = { domain: 'a.apps.example.com', certificate: AUTHORITY, key: AUTHORITY_KEY };

it('stores what is valid for longer than what is known, under the same name only', () => {
  expect(newerCertificates([own], [], NOW)).toEqual([own]);
  expect(newerCertificates([own], [own], NOW)).toEqual([]);
  expect(newerCertificates([own], [{ ...root, domain: 'b.apps.example.com' }], NOW)).toEqual([own]);
});

it('stores no certificate that has expired, is broken, or belongs to another key or name', () => {
  expect(newerCertificates([{ ...own, domain: 'a.other.test' }], [], NOW)).toEqual([]);
  expect(newerCertificates([own], [], Date.parse('2036-01-01'))).toEqual([]);
  expect(newerCertificates([{ ...own, key: AUTHORITY_KEY }], [], NOW)).toEqual([]);
  expect(newerCertificates([{ ...own, certificate: 'no PEM' }], [], NOW)).toEqual([]);
});
