/** Keeping new jobs off an instance, and having its present jobs leave it, by request of a person. */
import { formatTimestamp } from '@dstack/contract/wire';
import { Draft } from '../draft/draft.ts';
import { instanceTarget } from '../events/events.ts';
import { recordEvent } from '../events/record-event.ts';
import type {
  Decision,
  EventActor,
  InstanceRecord,
  InstanceSnapshot,
  SchedulingRecord,
  Timestamp,
} from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { signalCapacity } from './capacity.ts';

interface By {
  readonly actor: EventActor;
  readonly now: Timestamp;
}

/** An instance and its unfinished jobs. */
type Held = Pick<InstanceSnapshot, 'instance' | 'jobs'>;

type Written = Pick<Decision, 'changes' | 'signals'>;

/** Replaces an earlier cordon or drain: jobs that can stay do. Null if there is nothing to change. */
export function cordonInstance(
  { instance, jobs }: Held,
  cordon: Pick<SchedulingRecord, 'by' | 'reason' | 'until'>,
  { actor, now }: By,
): Written | null {
  const { by, reason, until } = cordon;
  const before = instance.scheduling;
  const isCordoned = before?.state === 'cordoned';
  if (isCordoned && before.reason === reason && before.until === until) return null;
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
  for (const job of jobs) draft.signal('run', job.runId);
  return { changes: draft.changes(), signals: draft.signals() };
}

/**
 * Has the jobs of the instance leave it within `seconds`; the passes of their runs give them notice. A
 * second drain moves the deadline.
 */
export function drainInstance(
  { instance, jobs }: Held,
  drain: Pick<SchedulingRecord, 'by' | 'reason'> & { readonly seconds: number },
  { actor, now }: By,
): Written {
  const { by, reason, seconds } = drain;
  const draft = new Draft({ instances: [instance] }, { now });
  const scheduling = { state: 'draining', reason, by, since: now, until: null, seconds } as const;
  const draining = draft.instances.set(instance, { scheduling });
  const data = { deadline: formatTimestamp(now + seconds * SECOND), reason };
  const targets = [instanceTarget(draining)];
  draft.event(recordEvent({ action: 'instance.draining', data, targets, actor }));
  draft.signal('instance', instance.id);
  signalCapacity(draft, draining);
  for (const job of jobs) draft.signal('run', job.runId);
  return { changes: draft.changes(), signals: draft.signals() };
}

/** Jobs that were given notice stay if it is not too late. Null if the instance is not cordoned. */
export function uncordonInstance({ instance, jobs }: Held, { actor, now }: By): Written | null {
  if (instance.scheduling === null) return null;
  const draft = new Draft({ instances: [instance] }, { now });
  endCordon(draft, instance, actor);
  draft.signal('instance', instance.id);
  for (const job of jobs) draft.signal('run', job.runId);
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
