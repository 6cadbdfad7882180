import type { Admit } from '../callers/callers.ts';
import type { OwnTokens } from '../callers/own-tokens.ts';
import type { OnEnded } from '../counts/access-log.ts';
import type { OtherFigures } from '../counts/proxy-figures.ts';
import type { Trust } from '../head/forwarded.ts';
import type { ProxyLog } from '../log.ts';
import type { OnModelUse } from '../models/model-use.ts';
import type { TakeRate } from '../policy/rate-limits.ts';
import type { ReadOutage } from '../refusals/outages.ts';
import type { EjectedReplica } from '../replicas/replica-health.ts';
import type { OpenPort } from '../replicas/replica-pool.ts';
import type { ServiceTable } from '../routes/service-table.ts';

export interface ServiceProxyOptions {
  readonly services: ServiceTable;
  /** Reads a service when it has no replica or a replica does not answer. */
  readonly readOutage: ReadOutage;
  readonly open: OpenPort;
  /** See `DeliveryOptions`. */
  readonly returnsUntil?: () => number;
  readonly admit: Admit;
  readonly ownTokens: Pick<OwnTokens, 'among' | 'inPlaces' | 'marks'>;
  /** Which peers may send forwarded headers. */
  readonly trust: Trust;
  /** Milliseconds without a byte after which a request fails. */
  readonly timeoutMs: number;
  /** Called when a request to a service has ended. */
  readonly onEnded?: OnEnded;
  /** Called for requests to models that were sent to the addresses of their services. */
  readonly onModelUse?: OnModelUse;
  /** Bytes of a request's body; 0 = no limit. */
  readonly maxBody: number;
  /** How many requests may wait for the first replica of one service. */
  readonly maxHeld: number;
  /** Processes that share the limits of a service; 1 by default. */
  readonly processes?: number;
  /** Counted requests are stored at most this often, in milliseconds; 1000 by default. */
  readonly countsEveryMs?: () => number;
  /** Counts requests of rate limits instead of this process and the database. */
  readonly takeRate?: TakeRate;
  /** Figures of requests that other processes of this server have counted. */
  readonly figuresElsewhere?: OtherFigures;
  /** A replica answers with errors, and gets no requests for a while. */
  readonly onEjected?: (ejected: EjectedReplica) => void;
  /** Other servers may change services without notifying this one. */
  readonly shared: boolean;
  /** Microseconds. */
  readonly now: () => number;
  readonly log: ProxyLog;
}
