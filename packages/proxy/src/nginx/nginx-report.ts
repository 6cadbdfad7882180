/**
 * The headers in which nginx reports a request that it does not answer itself, and the facts that it requires. They are true
 * on connections of nginx alone: clients may send such headers too.
 */
import type { IncomingMessage } from 'node:http';
import type { AdmittedRequest } from '../requests/admitted-request.ts';

export interface NginxReport {
  /** Whether nginx may answer the next request of this caller by itself. */
  readonly wantsGrant: boolean;
  /** It wants nothing else. */
  readonly isQuestion: boolean;
  /** It has sent the request to a replica already, which did not answer; null = it has not. */
  readonly failure: 'connection_broken' | 'timed_out' | null;
}

const ADDRESS = 'x-dstack-gateway-address';
const SCHEME = 'x-dstack-gateway-scheme';
const WANTS = 'x-dstack-gateway-wants';
const FAILED = 'x-dstack-gateway-failed';

export function nginxReport({ headers }: Pick<IncomingMessage, 'headers'>): NginxReport {
  const wants = headers[WANTS] ?? '';
  const failed = headers[FAILED];
  return {
    wantsGrant: wants !== '',
    isQuestion: wants === 'ask',
    failure: failed === 'connection_broken' || failed === 'timed_out' ? failed : null,
  };
}

/**
 * How the caller was admitted: `<generation> <passes> <expires> <name>`. `passes`: 1 = the app gets `Authorization`.
 * `expires`: milliseconds since the epoch; 0 = never.
 */
export function grantText(
  { caller, ownValues }: Pick<AdmittedRequest, 'caller' | 'ownValues'>,
  { headers }: Pick<IncomingMessage, 'headers'>,
  generation: string,
): string {
  const isApps = caller === null && !ownValues.has(headers.authorization ?? '');
  const expires = Math.floor((caller?.expiresAt ?? 0) / 1000);
  return `${generation} ${isApps ? 1 : 0} ${expires} ${encodeURIComponent(caller?.name ?? '')}`;
}

/** Whether the client has used TLS. */
export const isSecure = ({ headers }: Pick<IncomingMessage, 'headers'>): boolean =>
  headers[SCHEME] === 'https';

/** Makes the request look as if the client had connected here, which the proxy expects. */
export function showClient(request: IncomingMessage): void {
  const address = request.headers[ADDRESS];
  const { socket } = request;
  const value = typeof address === 'string' ? address : '';
  Object.defineProperty(socket, 'remoteAddress', { value, configurable: true });
  if (isSecure(request)) {
    Object.defineProperty(socket, 'encrypted', { value: true, configurable: true });
  } else {
    delete (socket as { encrypted?: boolean }).encrypted;
  }
}

const ofNginx = new WeakSet<object>();

/** This connection is one of an nginx of ours. */
export function markNginx(socket: object): void {
  ofNginx.add(socket);
}

export const isOfNginx = (socket: object): boolean => ofNginx.has(socket);
