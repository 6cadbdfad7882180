import { type EventWording, eventText, isKnownAction } from '@dstack/contract/event-text';
import type { Event, EventAction, EventData } from '@dstack/contract/wire';

/** Statuses and reasons as in the rest of the UI. */
const WORDING: EventWording = {
  name: (word) => word.replaceAll('_', ' '),
  change: (property, from, to) => `${property}: ${from} → ${to}`,
  reason: 'Reason',
};

/** The text of an event for people; an action that this version does not know has its text of the API. */
export function readerText({ action, data, message }: Pick<Event, 'action' | 'data' | 'message'>) {
  if (action === null || action === 'legacy' || data === null || !isKnownAction(action)) {
    return message;
  }
  return eventText<EventAction>(action, data as EventData[EventAction], WORDING);
}
