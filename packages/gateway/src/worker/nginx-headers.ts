/** The headers in which nginx reports a request that it does not answer itself, and the facts that it requires. */
import type { IncomingMessage } from 'node:http';
import type { ServiceProxy } from '@dstack/proxy';

type Admitted = Awaited<ReturnType<ServiceProxy['admit']>>;

export interface NginxReport {
  /** Whether nginx may answer the next request of this caller by itself. */
  readonly wantsGrant: boolean;
  /** It wants nothing else. */
  readonly isQuestion: boolean;
  /** It has sent the request to a replica already, which did not answer; null = it has not. */
  readonly failure: 'connection_broken' | 'timed_out' | null;
}

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
  { caller, ownValues }: Admitted,
  { headers }: Pick<IncomingMessage, 'headers'>,
  generation: string,
): string {
  const isApps = caller === null && !ownValues.has(headers.authorization ?? '');
  const expires = Math.floor((caller?.expiresAt ?? 0) / 1000);
  return `${generation} ${isApps ? 1 : 0} ${expires} ${encodeURIComponent(caller?.name ?? '')}`;
}
