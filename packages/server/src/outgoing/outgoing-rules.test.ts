import { describe, expect, it } from 'vitest';
import { hostsOfSettings, OutgoingRules, parseOutgoingAllow } from './outgoing-rules.ts';
import { isPublicAddress } from './public-address.ts';

describe('an address', () => {
  it.each([
    ...['1.1.1.1', '8.8.8.8', '172.15.255.255', '172.32.0.1', '192.167.1.1', '223.255.255.255'],
    ...['2606:4700::1111', '2a00:1450:4001::1', '::ffff:8.8.8.8', '::ffff:808:808'],
    ...['64:ff9b::8.8.8.8', '100.63.255.255', '100.128.0.1'],
  ])('%s is public', (address) => expect(isPublicAddress(address)).toBe(true));

  it.each([
    ...['0.0.0.0', '0.1.2.3', '10.1.2.3', '100.64.0.1', '100.100.100.200', '127.0.0.1'],
    ...['127.255.255.254', '169.254.169.254', '172.16.0.1', '172.31.255.255', '192.0.0.192'],
    ...['192.168.1.1', '198.18.0.1', '198.51.100.1', '203.0.113.7', '224.0.0.1', '239.1.1.1'],
    ...['240.0.0.1', '255.255.255.255', '168.63.129.16'],
    ...['::', '::1', 'fe80::1', 'fe80::1%eth0', 'fc00::1', 'fd00:ec2::254', 'ff02::1'],
    ...['::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:a9fe:a9fe', '0:0:0:0:0:ffff:10.0.0.1'],
    ...['64:ff9b::127.0.0.1', '64:ff9b::a9fe:a9fe', '64:ff9b:1::1', '2002:7f00:1::1'],
    ...['2001:0:4136:e378::1', '2001:db8::1', '3fff::1', '::127.0.0.1', '100::1'],
    ...['', 'localhost', '127.1', '2130706433', '0x7f.1', '1.1.1.1/32', '[::1]'],
  ])('%s is not public', (address) => expect(isPublicAddress(address)).toBe(false));
});

describe('what the operator allows', () => {
  const allows = (allowed: string, host: string, address: string) =>
    new OutgoingRules(parseOutgoingAllow(allowed)).allows(host, address);

  it.each([
    ['', 'x.org', '93.184.215.14', true],
    ['', 'x.org', '10.1.2.3', false],
    ['10.1.0.0/16', 'x.org', '10.1.2.3', true],
    ['10.1.0.0/16', 'x.org', '10.2.2.3', false],
    ['10.1.0.0/16', 'x.org', '::ffff:10.1.2.3', true],
    ['10.1.2.3', 'x.org', '10.1.2.3', true],
    ['10.1.2.3', 'x.org', '10.1.2.4', false],
    ['fd00::/8', 'x.org', 'fd00::1', true],
    ['fd00::1', 'x.org', 'fd00::2', false],
    ['loopback', 'localhost', '127.0.0.1', true],
    ['loopback', 'localhost', '::1', true],
    ['loopback', 'x.org', '10.0.0.1', false],
    ['private', 'x.org', '192.168.1.1', true],
    ['private', 'x.org', 'fd12::1', true],
    ['private', 'x.org', '169.254.169.254', false],
    ['private', 'x.org', 'fd00:ec2::254', false],
    ['private', 'x.org', 'fd20:ce::254', false],
    ['private,fd20:ce::254', 'x.org', 'fd20:ce::254', true],
    ['registry.corp', 'registry.corp', '10.0.0.1', true],
    ['registry.corp', 'Registry.Corp.', '10.0.0.1', true],
    ['registry.corp', 'evil.registry.corp', '10.0.0.1', false],
    ['*.corp', 'a.b.corp', '10.0.0.1', true],
    ['*.corp', 'corp', '10.0.0.1', false],
    ['*.corp', 'evilcorp', '10.0.0.1', false],
    [' loopback , 10.0.0.0/8,', 'x.org', '10.9.9.9', true],
  ])('by %j: %s at %s is %s', (allowed, host, address, expected) =>
    expect(allows(allowed, host, address)).toBe(expected),
  );

  it.each(['10.0.0.0/33', 'a b', 'http://x.org', '10.0.0.0/8/8', '*', 'x.org:80', '::/129', '-x'])(
    'cannot be parsed from %j',
    (text) => expect(() => parseOutgoingAllow(text)).toThrow(/DSTACK_SERVER_OUTGOING_ALLOW names/),
  );

  it.each([
    ['registry.corp:5000', 'registry.corp'],
    ['registry.corp:5000/team', 'registry.corp'],
    ['10.0.0.5', '10.0.0.5'],
    ['http://[fd00::1]:8080/x', 'fd00::1'],
    ['https://hub.corp/a', 'hub.corp'],
    ['git@git.corp:team/templates.git', 'git.corp'],
    ['ssh://git@git.corp:22/x', 'git.corp'],
  ])('includes the host of the setting %s', (value, host) =>
    expect(hostsOfSettings(value, null, '')).toEqual([host]),
  );
});
