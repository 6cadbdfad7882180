import { isIPv6, SocketAddress } from 'node:net';

/** IPv6 addresses count by /64, the size of one customer's network; mapped IPv4 addresses as IPv4. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const canonical = new SocketAddress({ address, family: 'ipv6' }).address;
  if (canonical.startsWith('::ffff:')) return canonical.slice('::ffff:'.length);
  const [head = '', tail] = canonical.split('::');
  const groups = head === '' ? [] : head.split(':');
  const behind = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = tail === undefined ? 0 : 8 - groups.length - behind.length;
  const all = [...groups, ...Array<string>(Math.max(0, missing)).fill('0'), ...behind];
  return all.slice(0, 4).join(':');
}
