import type { User } from '@dstack/contract/wire';
import { createContext, useContext } from 'react';
import { useUser } from '../../data/session/session-context.tsx';

export const ShownUserContext = createContext<User | null>(null);

/** The user whose page is shown, and whether it is the one who is signed in. */
export function useShownUser(): { readonly user: User; readonly isOwn: boolean } {
  const user = useContext(ShownUserContext);
  const me = useUser();
  if (user === null) throw new Error('ShownUserContext is missing');
  return { user, isOwn: user.username === me.username };
}
