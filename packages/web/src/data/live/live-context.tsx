import { createContext, type ReactNode, useContext, useSyncExternalStore } from 'react';
import type { Live } from './live.ts';
import type { LiveState } from './live-state.ts';

const LiveContext = createContext<Live | null>(null);

export function LiveProvider(props: { readonly live: Live; readonly children: ReactNode }) {
  return <LiveContext.Provider value={props.live}>{props.children}</LiveContext.Provider>;
}

export function useLive(): Live {
  const live = useContext(LiveContext);
  if (live === null) throw new Error('LiveProvider is missing');
  return live;
}

export function useLiveState(): LiveState {
  const live = useLive();
  return useSyncExternalStore(live.subscribe, () => live.state);
}
