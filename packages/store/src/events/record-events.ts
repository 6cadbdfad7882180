import { eventMessage, type Id, type NewEvent, type Timestamp } from '@dstack/core';
import { insertInSlices } from '../base/query.ts';
import type { Tx } from '../context/context.ts';
import { nextInstant } from './event-instants.ts';

export interface EventRecorder {
  /** Returns the ids of the events; none if events are not stored. */
  record(tx: Tx, events: readonly NewEvent[]): Promise<readonly Id[]>;
}

/**
 * Writes events in the order given. Their instants rise strictly within this server, even if the clock
 * is set back by less than a day: ids are random, so equal times would change the order.
 */
export function createEventRecorder(options: {
  readonly now: () => Timestamp;
  readonly newId: () => string;
  readonly stored: boolean;
  /** The newest instant in the database. */
  readonly last: Timestamp;
}): EventRecorder {
  let last = options.last;
  return {
    async record(tx, events) {
      if (!options.stored || events.length === 0) return [];
      const rows = events.map((event) => {
        last = nextInstant(options.now(), last);
        return { id: options.newId(), recordedAt: last, event };
      });
      const stories = rows.map(({ id, recordedAt, event }) => ({
        id,
        // Stored too, because servers of an older version read only the text.
        message: eventMessage(event),
        actor_user_id: event.actor?.userId ?? null,
        recorded_at: recordedAt,
        action: event.action,
        data: JSON.stringify(event.data),
        outcome: event.outcome,
        actor_token_id: event.actor?.token?.id ?? null,
        actor_token_name: event.actor?.token?.name ?? null,
        actor_address: event.actor?.address ?? null,
      }));
      await insertInSlices(stories, (slice) => tx.insertInto('events').values(slice).execute());
      const targets = rows.flatMap(({ id, recordedAt, event }) =>
        event.targets.map((target, index) => ({
          event_id: id,
          target_num: index,
          type: target.type,
          target_id: target.id,
          name: target.name,
          project_id: target.projectId,
          parent_id: target.parentId,
          recorded_at: recordedAt,
        })),
      );
      await insertInSlices(targets, (slice) =>
        tx.insertInto('event_targets').values(slice).execute(),
      );
      return rows.map(({ id }) => id);
    },
  };
}
