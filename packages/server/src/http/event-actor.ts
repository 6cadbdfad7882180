/** The caller of a request as events name it. */
import type { EventActor } from '@dstack/core';
import type { ServiceTokenRecord, UserRecord } from '@dstack/store';

/** The user in whose name a request is made, and how it was made. */
export interface CallingUser extends UserRecord {
  readonly via: Pick<EventActor, 'token' | 'address'>;
}

export function callingUser(
  user: UserRecord,
  token: Pick<ServiceTokenRecord, 'id' | 'name'> | null,
  address: string | null,
): CallingUser {
  const named = token === null ? null : { id: token.id, name: token.name };
  return { ...user, via: { token: named, address } };
}

/** Also for users that are not callers: then neither token nor address is known. */
export function actorOf(user: UserRecord): EventActor {
  const { token, address } = isCalling(user) ? user.via : { token: null, address: null };
  return { userId: user.id, token, address };
}

function isCalling(user: UserRecord): user is CallingUser {
  return 'via' in user;
}
