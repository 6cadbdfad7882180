import type { NewEvent } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { Logger } from '../process/logging.ts';

interface GatewayEventParts {
  readonly store: Pick<Store, 'events'>;
  readonly log: Logger;
}

/** Nothing waits for it. */
export function writeGatewayEvent({ store, log }: GatewayEventParts, event: NewEvent): void {
  store.events.write([event]).catch((error) => {
    log.warn({ err: error }, 'an event of a gateway was not stored');
  });
}
