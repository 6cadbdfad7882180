import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { buildConnector } from 'undici';
import { OutgoingRefused } from './outgoing-error.ts';
import type { OutgoingRules } from './outgoing-rules.ts';

/** Milliseconds to connect. */
const CONNECT_MS = 10_000;

/** Resolves a name to its allowed addresses only. The connection goes to an address that was checked. */
export function guardedLookup(rules: OutgoingRules, resolve = systemLookup): LookupFunction {
  return (host, options, done) => {
    resolve(host, { ...options, all: true }, (error, found) => {
      if (error) return done(error, '', 0);
      const allowed = found.filter(({ address }) => rules.allows(host, address));
      if (allowed.length === 0) {
        const refused = new OutgoingRefused({ rule: 'address', host });
        return done(refused as NodeJS.ErrnoException, '', 0);
      }
      if (options.all) return (done as AllDone)(null, allowed);
      const [{ address, family }] = allowed as [LookupAddress, ...LookupAddress[]];
      done(null, address, family);
    });
  };
}

type AllDone = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;

/** Checks a host that is an address, which is not looked up. Throws `OutgoingRefused`. */
export function checkLiteral(rules: OutgoingRules, host: string): void {
  const bare = host.replace(/^\[|\]$/g, '');
  if (isIP(bare) !== 0 && !rules.allows(bare, bare)) {
    throw new OutgoingRefused({ rule: 'address', host: bare });
  }
}

/** For undici: connects to allowed addresses only, and checks the address again once connected. */
export function guardedConnector(
  rules: OutgoingRules,
  resolve = systemLookup,
): buildConnector.connector {
  const connect = buildConnector({ timeout: CONNECT_MS, lookup: guardedLookup(rules, resolve) });
  return (options, done) => {
    try {
      checkLiteral(rules, options.hostname);
    } catch (error) {
      return done(error as Error, null);
    }
    connect(options, (error, socket) => {
      if (error || !socket) return done(error ?? new Error('not connected'), null);
      if (isAllowedAddress(rules, options.hostname, socket)) return done(null, socket);
      socket.destroy();
      done(new OutgoingRefused({ rule: 'address', host: options.hostname }), null);
    });
  };
}

/** False also for a connection that is already closed. */
export function isAllowedAddress(
  rules: OutgoingRules,
  host: string,
  { remoteAddress }: Socket,
): boolean {
  return remoteAddress !== undefined && rules.allows(host, remoteAddress);
}
