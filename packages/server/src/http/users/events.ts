import type { NewEvent } from '@dstack/core';
import type { UserRecord } from '@dstack/store';

/** An event about a user, caused by another or by themselves. */
export function userEvent(
  message: string,
  user: Pick<UserRecord, 'id' | 'name'>,
  actorUserId: string | null,
): NewEvent {
  const target = { type: 'user', id: user.id, name: user.name, projectId: null, parentId: null };
  return { message, actorUserId, targets: [{ ...target, type: 'user' }] };
}
