/** The only place where an instance changes its status. Used only within this folder. */
import type { Draft } from '../draft/draft.ts';
import { instanceStatusEvent } from '../events/events.ts';
import type { EventActor, InstanceRecord, InstanceStatus } from '../model/index.ts';
import { instanceInterval } from '../pricing/index.ts';
import { assertTransition, INSTANCE_TRANSITIONS, isInstanceTerminated } from '../status/index.ts';

export function moveInstance(
  draft: Draft,
  instance: InstanceRecord,
  status: InstanceStatus,
  patch: Partial<InstanceRecord> = {},
  actor: EventActor | null = null,
): InstanceRecord {
  assertTransition('instance', INSTANCE_TRANSITIONS, instance.status, status);
  const isEnd = isInstanceTerminated(status);
  if (isEnd) draft.pay(instanceInterval(instance, draft.now));
  const finishedAt = isEnd ? draft.now : instance.finishedAt;
  const moved = draft.instances.set(instance, {
    finishedAt,
    ...patch,
    status,
    statusChangedAt: draft.now,
  });
  draft.event(instanceStatusEvent(instance.status, moved, actor));
  return moved;
}
