import { isDeepStrictEqual } from 'node:util';
import { errorMessage } from '@dstack/contract/error-message';
import {
  certificateEvents,
  type GatewayRecord,
  type GatewayReplicaRecord,
  type GatewayReport,
  gatewayNotPlainEvent,
  type Timestamp,
} from '@dstack/core';
import type { Store } from '@dstack/store';
import type { Logger } from '../process/logging.ts';
import { FrameMeter } from './frame-meter.ts';
import { writeGatewayEvent } from './gateway-events.ts';
import type { Reported } from './gateway-link.ts';
import { type ShownState, withCondition, withKnown } from './gateway-state.ts';
import type { GatewayUpkeep } from './gateway-upkeep.ts';

export interface ReplicaReportOptions {
  readonly store: Pick<Store, 'gateways' | 'events'>;
  readonly gateway: Pick<GatewayRecord, 'id' | 'name' | 'projectId'>;
  readonly replica: GatewayReplicaRecord;
  readonly upkeep: Pick<GatewayUpkeep, 'condition' | 'hasLooked'>;
  /** The reason for `outdated` that this server or another one stored last. */
  readonly outdated: string | null;
  /** The server is ending: it stores nothing more. */
  readonly isClosed: () => boolean;
  readonly now: () => Timestamp;
  readonly log: Logger;
}

/** Per minute, about its certificates and the engine that answers. */
const MOST_EVENTS = 100;

/** The state of a replica as it was reported last, and as it is stored. */
export class ReplicaReport {
  readonly #options: ReplicaReportOptions;
  readonly #events = new FrameMeter({ most: MOST_EVENTS, now: Date.now });
  #last: Reported | null = null;
  #outdated: string | null;
  #stored: ShownState | null = null;

  constructor(options: ReplicaReportOptions) {
    this.#options = options;
    this.#outdated = options.outdated;
  }

  /** Null: nothing was reported yet. */
  get last(): Reported | null {
    return this.#last;
  }

  /** Stores only what has changed. Never rejects. */
  async store(reported: Reported): Promise<void> {
    const { store, gateway, replica, upkeep, isClosed, now, log } = this.#options;
    const known = withKnown(reported, this.#last);
    this.#last = known;
    // A new replica must not replace another one before it can be reached.
    if (known.state === 'ready' && !upkeep.hasLooked) return;
    const stored = this.#stored;
    const next = withCondition(known, upkeep.condition, this.#outdated);
    this.#outdated = next.outdated;
    if (isDeepStrictEqual(stored, next) || isClosed()) return;
    this.#stored = next;
    const report: GatewayReport = { ...next, replicaId: replica.id, updatedAt: now() };
    const eventsOf = (before: readonly GatewayReport[]) =>
      certificateEvents(gateway, before, report).filter(() => !this.#events.add());
    try {
      await store.gateways.saveReport(report, gateway.id, eventsOf);
    } catch (error) {
      this.#stored = stored;
      log.warn({ err: errorMessage(error) }, 'the state of a gateway was not stored');
    }
  }

  /** Its workers answer all requests, although nginx is to answer some. */
  notPlain(why: string): void {
    const { gateway, replica } = this.#options;
    if (this.#events.add()) return;
    writeGatewayEvent(this.#options, gatewayNotPlainEvent(gateway, replica, why));
  }
}
