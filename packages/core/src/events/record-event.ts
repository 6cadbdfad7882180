/** The one way to make an event: its action decides the shape of its data. */
import type { EventAction, EventData, EventOutcome, NoData } from '@dstack/contract/wire';
import type { EventActor, EventTargetRecord, NewEvent } from '../model/index.ts';

/** `legacy` is only read. */
type RecordedAction = Exclude<EventAction, 'legacy'>;

type DataPart<A extends EventAction> = EventData[A] extends NoData
  ? { readonly data?: NoData }
  : { readonly data: EventData[A] };

type EventInput<A extends RecordedAction> = DataPart<A> & {
  readonly action: A;
  /** At least one. Parents of a target are not named as well. */
  readonly targets: readonly EventTargetRecord[];
  /** Default: the server. */
  readonly actor?: EventActor | null;
  /** Default: `done`. */
  readonly outcome?: EventOutcome;
};

/**
 * An event to be written with the change that it is about. Its text is rendered from action and data when
 * it is stored (`event-message.ts`).
 */
export function recordEvent(
  event: { [A in RecordedAction]: EventInput<A> }[RecordedAction],
): NewEvent {
  const { action, data = {}, targets, actor = null, outcome = 'done' } = event;
  // The input type has checked the data against the action, which destructuring separates.
  return { action, data, outcome, actor, targets } as NewEvent;
}
