/** Facts that nginx reports about a request. Only nginx can reach the socket, so its headers are true. */
import type { IncomingMessage } from 'node:http';
import { isSecure, ProxyRefusal } from '@dstack/proxy';

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

const SNI = 'x-dstack-gateway-sni';

export function originOf(request: IncomingMessage): RequestOrigin {
  const { headers } = request;
  const [, host = '', port = ''] = /^([^:]*?)\.?(:\d+)?$/.exec(headers.host ?? '') ?? [];
  const sni = headers[SNI];
  return {
    ...{ host: host.toLowerCase(), port },
    isSecure: isSecure(request),
    sni: typeof sni === 'string' && sni !== '' ? sni.toLowerCase() : null,
  };
}
