import { BlockList, isIP } from 'node:net';

/** IANA's registry of special-purpose IPv4 networks, multicast, and addresses reserved by clouds. */
const SPECIAL_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  // Azure's metadata and agent endpoint is among public addresses.
  '168.63.129.16/32',
];

/** Special networks in 2000::/3: tunnels that embed another address, and documentation. */
const SPECIAL_V6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

const special = networks([...SPECIAL_V4, ...SPECIAL_V6]);
const global6 = networks(['2000::/3']);
/** IPv6 addresses that embed an IPv4 address: mapped (`::ffff:1.2.3.4`) and NAT64. */
const embedding = networks(['::ffff:0:0/96', '64:ff9b::/96']);

/** Whether an address is on the public Internet, not in a private, loopback, link-local or other special network. */
export function isPublicAddress(address: string): boolean {
  // Only link-local addresses contain an interface.
  if (address.includes('%')) return false;
  switch (isIP(address)) {
    case 4:
      return !special.check(address, 'ipv4');
    case 6:
      if (embedding.check(address, 'ipv6')) return isPublicAddress(embeddedAddress(address));
      return global6.check(address, 'ipv6') && !special.check(address, 'ipv6');
    default:
      return false;
  }
}

/** The last four bytes of an IPv6 address, as an IPv4 address. */
export function embeddedAddress(address: string): string {
  // The URL parser normalises every form to hexadecimal groups.
  const groups = new URL(`http://[${address}]/`).hostname.slice(1, -1).split(':');
  const [high = '0', low = '0'] = groups.slice(-2).map((group) => group || '0');
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [a >> 8, a & 255, b >> 8, b & 255].join('.');
}

export function networks(texts: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of texts) {
    const [address = '', bits] = text.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    list.addSubnet(
      address,
      bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits),
      family,
    );
  }
  return list;
}
