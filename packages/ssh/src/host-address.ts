import { BlockList, isIP } from 'node:net';

/**
 * Addresses that only the host itself can use, or that serve it alone: loopback, link-local networks, where most clouds
 * have their metadata and credentials, and those of Alibaba Cloud, Azure, Oracle, AWS (EKS too) and Google elsewhere;
 * addresses of many hosts at once (multicast, broadcast).
 */
const V4 = [
  ...['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '255.255.255.255/32'],
  ...['100.100.100.200/32', '168.63.129.16/32', '192.0.0.192/32'],
];
const V6 = ['::/128', '::1/128', 'fe80::/10', 'ff00::/8', 'fd00:ec2::/32', 'fd20:ce::254/128'];
/** IPv6 addresses that embed an IPv4 address: mapped, and NAT64. */
const EMBEDDING = ['::ffff:0:0/96', '64:ff9b::/96', '::/96'];

const own = listOf([...V4, ...V6]);
const embedding = listOf(EMBEDDING);

/** Also true for what is no address. */
export function isHostAddress(address: string): boolean {
  const bare = address.split('%')[0] ?? '';
  switch (isIP(bare)) {
    case 4:
      return own.check(bare, 'ipv4');
    case 6:
      return (
        own.check(bare, 'ipv6') ||
        (embedding.check(bare, 'ipv6') && own.check(embedded(bare), 'ipv4'))
      );
    default:
      return true;
  }
}

/** The last four bytes of an IPv6 address, as an IPv4 address. */
function embedded(address: string): string {
  // The URL parser writes every form in hexadecimal groups.
  const groups = new URL(`http://[${address}]/`).hostname.slice(1, -1).split(':');
  const bytes = groups.slice(-2).flatMap((group) => {
    const value = Number.parseInt(group || '0', 16);
    return [value >> 8, value & 255];
  });
  return bytes.join('.');
}

function listOf(texts: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of texts) {
    const [address = '', bits] = text.split('/');
    list.addSubnet(address, Number(bits), isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}
