import { lookup as systemLookup } from 'node:dns';
import { connect, isIP, type LookupFunction, type Socket } from 'node:net';
import { isHostAddress } from '@dstack/ssh/host-address';

/** A job asked for a connection to an address of the host. */
export class HostAddressRefused extends Error {
  override name = 'HostAddressRefused';

  constructor(host: string) {
    super(
      `${host} is an address of the host itself, which jobs in containers do not reach through it`,
    );
  }
}

/** Resolves a name to addresses that do not belong to the host. */
export const lookupElsewhere: LookupFunction = (host, options, done) => {
  systemLookup(host, { ...options, all: true }, (error, found) => {
    if (error) return done(error, '', 0);
    const allowed = found.filter(({ address }) => !isHostAddress(address));
    const [first] = allowed;
    if (!first) return done(new HostAddressRefused(host) as NodeJS.ErrnoException, '', 0);
    if (options.all) return done(null, allowed);
    done(null, first.address, first.family);
  });
};

/** An address of the host name that does not belong to this host. Throws `HostAddressRefused`, or the error of DNS. */
export function allowedAddress(host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    if (isIP(host) === 0) {
      lookupElsewhere(host, {}, (error, address) =>
        error ? reject(error) : resolve(String(address)),
      );
    } else if (isHostAddress(host)) reject(new HostAddressRefused(host));
    else resolve(host);
  });
}

/** Connects to the checked address. The socket fails with `HostAddressRefused` for one of the host. */
export function guardedDial(given: string, port: number): Socket {
  const host = given.replace(/^\[|\]$/g, '');
  const socket = connect({ host, port, lookup: lookupElsewhere });
  // Addresses are not looked up.
  const refused = () => socket.destroy(new HostAddressRefused(host));
  if (isIP(host) !== 0 && isHostAddress(host)) refused();
  socket.once('connect', () => {
    if (isHostAddress(socket.remoteAddress ?? '')) refused();
  });
  return socket;
}
