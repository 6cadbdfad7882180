import { type Event, formatTimestamp } from '@dstack/contract/wire';
import type { EventView } from '@dstack/store';

/** `showsOrigin`: the viewer may see token and address (`events/origin.ts`). */
export function wireEvent(event: EventView, showsOrigin = false): Event {
  const origin = showsOrigin ? event.actor : null;
  return {
    id: event.id,
    message: event.message,
    recorded_at: formatTimestamp(event.recordedAt),
    actor_user_id: event.actor?.id ?? null,
    actor_user: event.actor?.name ?? null,
    is_actor_user_deleted: event.actor?.deleted ?? null,
    targets: event.targets.map((target) => ({
      type: target.type,
      project_id: target.projectId,
      project_name: target.projectName,
      is_project_deleted: target.projectId === null ? null : target.projectDeleted,
      id: target.id,
      name: target.name,
    })),
    action: event.action,
    data: { ...event.data },
    outcome: event.outcome,
    actor_token: origin?.token?.name ?? null,
    actor_address: origin?.address ?? null,
  };
}
