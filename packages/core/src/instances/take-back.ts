/** Instances whose provider has announced that it takes their machine back. */
import { formatTimestamp } from '@dstack/contract/wire';
import { Draft } from '../draft/draft.ts';
import { instanceTarget } from '../events/events.ts';
import { recordEvent } from '../events/record-event.ts';
import type { Decision, InstanceSnapshot, SchedulingRecord, Timestamp } from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { drainDeadline, isInstanceActive } from '../status/index.ts';
import { signalCapacity } from './capacity.ts';

export interface TakeBack {
  /** In the provider's words. */
  readonly reason: string;
  /** Seconds that the provider leaves. */
  readonly left: number;
}

/** Seconds before the end that are kept for the last output and the reports of the agent, and its share at most. */
const RESERVE = 10;
const RESERVED_SHARE = 0.25;
/** A notice that is sent again differs by delays only. */
const SAME = 5 * SECOND;

/**
 * Its jobs have to leave it as if it were drained, in the time that the provider leaves; then it ends. Null if
 * they have to leave as soon already.
 */
export function takeBackInstance(
  { instance, jobs }: Pick<InstanceSnapshot, 'instance' | 'jobs'>,
  { reason, left }: TakeBack,
  now: Timestamp,
): Pick<Decision, 'changes' | 'signals'> | null {
  if (!isInstanceActive(instance.status) || instance.deleted) return null;
  // Whole seconds, so that all times made of it are whole microseconds.
  const seconds = Math.floor(left - Math.min(RESERVE, left * RESERVED_SHARE));
  const deadline = now + seconds * SECOND;
  const before = instance.scheduling && drainDeadline(instance.scheduling);
  if (before !== null && before <= deadline + SAME) return null;
  const draft = new Draft({ instances: [instance] }, { now });
  const by = instance.backend ?? 'its provider';
  const scheduling: SchedulingRecord = {
    ...{ state: 'draining', reason, by, since: now, until: null, seconds, isTakenBack: true },
  };
  const leaving = draft.instances.set(instance, { scheduling });
  const data = { reason, deadline: formatTimestamp(deadline) };
  const targets = [instanceTarget(leaving)];
  draft.event(recordEvent({ action: 'instance.taken_back', data, targets }));
  draft.signal('instance', instance.id);
  signalCapacity(draft, leaving);
  for (const job of jobs) draft.signal('run', job.runId);
  return { changes: draft.changes(), signals: draft.signals() };
}
