import { isIP } from 'node:net';
import { embeddedAddress, networks } from './public-address.ts';

/**
 * Networks of the server's own computer, the metadata services of clouds, and addresses of no single host: no host of a
 * user's network has one of them.
 */
const own = networks([
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/4',
  '255.255.255.255/32',
  '168.63.129.16/32',
  '::/128',
  '::1/128',
  'fe80::/10',
  'ff00::/8',
  // The metadata service of AWS.
  'fd00:ec2::254/128',
]);
const embedding = networks(['::ffff:0:0/96', '64:ff9b::/96']);

/** Whether an address is loopback, link-local, unspecified, multicast or a metadata service; private networks are not. */
export function isOwnAddress(address: string): boolean {
  const [bare = ''] = address.split('%');
  switch (isIP(bare)) {
    case 4:
      return own.check(bare, 'ipv4');
    case 6:
      if (embedding.check(bare, 'ipv6')) return isOwnAddress(embeddedAddress(bare));
      return own.check(bare, 'ipv6');
    default:
      return true;
  }
}
