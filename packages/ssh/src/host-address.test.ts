import { expect, it } from 'vitest';
import { isHostAddress } from './host-address.ts';

it.each([
  ...['127.0.0.1', '127.255.0.9', '0.0.0.0', '0.1.2.3', '169.254.169.254', '168.63.129.16'],
  ...['::1', '::', 'fe80::1%eth0', 'fd00:ec2::254', '::ffff:127.0.0.1', '::ffff:7f00:1'],
  ...['64:ff9b::7f00:1', '64:ff9b::169.254.169.254', '::127.0.0.1', 'localhost', '', '127.1'],
  ...['100.100.100.200', '192.0.0.192', 'fd00:ec2::23', 'fd20:ce::254', '::ffff:100.100.100.200'],
  ...['224.0.0.1', 'ff02::1', '255.255.255.255', 'no address'],
])('%s belongs to the host', (address) => {
  expect(isHostAddress(address)).toBe(true);
});

it.each([
  ...['10.0.0.1', '192.168.1.1', '172.16.0.1', '100.64.0.1', '8.8.8.8'],
  ...['2600::1', 'fd12::1', 'fd20::1', '::ffff:10.0.0.1'],
])('%s does not', (address) => {
  expect(isHostAddress(address)).toBe(false);
});
