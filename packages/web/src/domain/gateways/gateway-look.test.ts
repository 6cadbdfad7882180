import type { Gateway } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { dnsRecord } from './gateway-look.ts';

const gateway = (more: Partial<Gateway>) =>
  ({ hostname: null, wildcard_domain: '*.example.com', replicas: [], ...more }) as Gateway;
const replica = (hostname: string | null) => ({ hostname }) as Gateway['replicas'][number];

it('names the record that leads the domain to the gateway', () => {
  expect(dnsRecord(gateway({ replicas: [replica('203.0.113.7'), replica(null)] }))).toBe(
    '*.example.com. A 203.0.113.7',
  );
  expect(dnsRecord(gateway({ hostname: 'lb.cloud.test', wildcard_domain: 'example.com' }))).toBe(
    '*.example.com. CNAME lb.cloud.test',
  );
});

it('names an address that all replicas have once', () => {
  const replicas = [replica('203.0.113.7'), replica('203.0.113.7'), replica('203.0.113.8')];
  expect(dnsRecord(gateway({ replicas }))).toBe(
    '*.example.com. A 203.0.113.7\n*.example.com. A 203.0.113.8',
  );
});

it('names none without a domain or an address', () => {
  expect(dnsRecord(gateway({}))).toBeNull();
  expect(dnsRecord(gateway({ hostname: '203.0.113.7', wildcard_domain: null }))).toBeNull();
});
