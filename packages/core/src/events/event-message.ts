import { AUDIT_WORDING, eventText } from '@dstack/contract/event-text';
import type { EventAction } from '@dstack/contract/wire';
import type { NewEvent } from '../model/index.ts';

/** The text of an event as it is stored, and as official clients show it. */
export function eventMessage({ action, data }: Pick<NewEvent, 'action' | 'data'>): string {
  // Each member of the union pairs an action with its own data.
  return eventText<EventAction>(action, data, AUDIT_WORDING);
}
