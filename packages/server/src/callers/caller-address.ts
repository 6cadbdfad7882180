/** Address of the caller of a request: the peer of the connection, or the one that a trusted proxy reports. */
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import proxyAddr from '@fastify/proxy-addr';

export type CallerAddress = (request: IncomingMessage) => string;

/** `proxies`: addresses, networks, and the network names of Fastify. */
export function callerAddress(proxies: readonly string[]): CallerAddress {
  const ownAddress = ({ socket }: IncomingMessage) => socket.remoteAddress ?? '';
  if (proxies.length === 0) return ownAddress;
  const isTrusted = proxyAddr.compile([...proxies]);
  return (request) => {
    const named = proxyAddr(request, isTrusted);
    // Only addresses can be counted.
    return isIP(named) === 0 ? ownAddress(request) : named;
  };
}
