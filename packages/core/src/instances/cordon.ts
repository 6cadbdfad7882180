/** Keeping new jobs off an instance, by request of a person; its present jobs go on. */
import { formatTimestamp } from '@dstack/contract/wire';
import { Draft } from '../draft/draft.ts';
import { instanceTarget } from '../events/events.ts';
import { recordEvent } from '../events/record-event.ts';
import type {
  Decision,
  EventActor,
  InstanceRecord,
  SchedulingRecord,
  Timestamp,
} from '../model/index.ts';
import { signalCapacity } from './capacity.ts';

interface By {
  readonly actor: EventActor;
  readonly now: Timestamp;
}

type Written = Pick<Decision, 'changes' | 'signals'>;

/** Replaces an earlier cordon; null if there is nothing to change. */
export function cordonInstance(
  instance: InstanceRecord,
  cordon: Pick<SchedulingRecord, 'by' | 'reason' | 'until'>,
  { actor, now }: By,
): Written | null {
  const { by, reason, until } = cordon;
  const before = instance.scheduling;
  if (before !== null && before.reason === reason && before.until === until) return null;
  const draft = new Draft({ instances: [instance] }, { now });
  const scheduling = { state: 'cordoned', reason, by, since: now, until } as const;
  const cordoned = draft.instances.set(instance, { scheduling });
  const data = { until: until === null ? null : formatTimestamp(until), reason };
  const targets = [instanceTarget(cordoned)];
  draft.event(recordEvent({ action: 'instance.cordoned', data, targets, actor }));
  // Its pass arms the timer of `until`.
  draft.signal('instance', instance.id);
  // Capacity that was held for a gang together with this instance may now be useful for others.
  signalCapacity(draft, cordoned);
  return { changes: draft.changes(), signals: draft.signals() };
}

/** Null if the instance is not cordoned. */
export function uncordonInstance(instance: InstanceRecord, { actor, now }: By): Written | null {
  if (instance.scheduling === null) return null;
  const draft = new Draft({ instances: [instance] }, { now });
  endCordon(draft, instance, actor);
  draft.signal('instance', instance.id);
  return { changes: draft.changes(), signals: draft.signals() };
}

/** Without an actor, the time of the cordon is over. */
export function endCordon(
  draft: Draft,
  instance: InstanceRecord,
  actor: EventActor | null = null,
): void {
  const open = draft.instances.set(instance, { scheduling: null });
  const data = { expired: actor === null };
  const targets = [instanceTarget(open)];
  draft.event(recordEvent({ action: 'instance.uncordoned', data, targets, actor }));
  signalCapacity(draft, open);
}
