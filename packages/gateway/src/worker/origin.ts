/** Facts that nginx reports about a request. Only nginx can reach the socket, so its headers are true. */
import type { IncomingMessage } from 'node:http';
import { ProxyRefusal } from '@dstack/proxy';

export function unknownHost(host: string): ProxyRefusal {
  return new ProxyRefusal(404, `No service has the host name ${host}`);
}

export interface RequestOrigin {
  /** Lower case, without a port. */
  readonly host: string;
  /** The port that the client has used, `:8443`; empty = the default. */
  readonly port: string;
  readonly isSecure: boolean;
  /** The name of the TLS connection; null = plain HTTP, or no name was sent. */
  readonly sni: string | null;
}

const ADDRESS = 'x-dstack-gateway-address';
const SCHEME = 'x-dstack-gateway-scheme';
const SNI = 'x-dstack-gateway-sni';

export function originOf({ headers }: IncomingMessage): RequestOrigin {
  const [, host = '', port = ''] = /^([^:]*?)\.?(:\d+)?$/.exec(headers.host ?? '') ?? [];
  const sni = headers[SNI];
  return {
    ...{ host: host.toLowerCase(), port },
    isSecure: headers[SCHEME] === 'https',
    sni: typeof sni === 'string' && sni !== '' ? sni.toLowerCase() : null,
  };
}

/** Makes the request look as if the client had connected here, which the proxy expects. */
export function showClient(request: IncomingMessage): void {
  const address = request.headers[ADDRESS];
  const { socket } = request;
  const value = typeof address === 'string' ? address : '';
  Object.defineProperty(socket, 'remoteAddress', { value, configurable: true });
  if (request.headers[SCHEME] === 'https') {
    Object.defineProperty(socket, 'encrypted', { value: true, configurable: true });
  } else {
    delete (socket as { encrypted?: boolean }).encrypted;
  }
}
