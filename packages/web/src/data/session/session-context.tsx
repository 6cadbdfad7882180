import type { Client } from '@dstack/client';
import { createContext, type ReactNode, useContext, useSyncExternalStore } from 'react';
import type { BrowserSession, SessionState, SessionUser } from './session.ts';

const SessionContext = createContext<BrowserSession | null>(null);

export function SessionProvider(props: {
  readonly session: BrowserSession;
  readonly children: ReactNode;
}) {
  return <SessionContext.Provider value={props.session}>{props.children}</SessionContext.Provider>;
}

export function useSession(): BrowserSession {
  const session = useContext(SessionContext);
  if (session === null) throw new Error('SessionProvider is missing');
  return session;
}

export function useSessionState(): SessionState {
  const session = useSession();
  return useSyncExternalStore(session.subscribe, () => session.state);
}

/** The client of the signed-in user. */
export function useClient(): Client {
  return useSession().client;
}

/** The signed-in user. Pages are only shown while there is one. */
export function useUser(): SessionUser {
  const state = useSessionState();
  if (state.kind !== 'signed-in') throw new Error('no user is signed in');
  return state.user;
}
