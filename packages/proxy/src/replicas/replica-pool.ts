/** The connections to one replica that requests of HTTP/1.1 share, kept alive between them. */
import type { Duplex } from 'node:stream';
import type { Pool } from 'undici';
// The index of undici needs three times the memory: workers are many, and use nothing else of it.
import UndiciPool from 'undici/lib/dispatcher/pool.js';
import { MAX_HEADERS } from '../head/raw-headers.ts';
import type { ReplicaTarget } from '../values.ts';
import { ConnectFailure } from './upstream-failure.ts';

/** Opens a connection to the app of a replica. */
export type OpenPort = (replica: ReplicaTarget) => Promise<Duplex>;

export interface ReplicaPoolOptions {
  readonly open: OpenPort;
  /** Milliseconds without a byte after which a request fails. */
  readonly timeoutMs: number;
}

/**
 * A connection without a request is closed after this long, so that of a burst none remain. The number of
 * connections needs no limit besides: there is one for each request in flight, and requests that had to
 * wait for another one, perhaps a stream of an hour, would look like an app that hangs.
 */
export const IDLE_MS = 4000;

/** An app may keep its connections longer, by the header `Keep-Alive`, but no longer than this. */
export const MAX_IDLE_MS = 60_000;

/** A pool without the methods that the index of undici adds to it, such as `request`. */
export type ReplicaPool = Omit<Pool, 'request' | 'stream' | 'pipeline' | 'connect' | 'upgrade'>;

/** Opens nothing before the first request, which fails with `ConnectFailure` if that fails. */
export function replicaPool(
  target: ReplicaTarget,
  { open, timeoutMs }: ReplicaPoolOptions,
): ReplicaPool {
  return new UndiciPool('http://replica', {
    // One connection per request: long streams must not delay other requests.
    connections: null,
    pipelining: 1,
    allowH2: false,
    maxHeaderSize: MAX_HEADERS,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    keepAliveTimeout: IDLE_MS,
    keepAliveMaxTimeout: MAX_IDLE_MS,
    connect: (_options, callback) => {
      open(target).then(
        (socket) => callback(null, socket as never),
        (error) => callback(new ConnectFailure(target.port, error), null),
      );
    },
  });
}
