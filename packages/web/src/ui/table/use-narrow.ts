import { useSyncExternalStore } from 'react';

/** Below this width tables become cards, and the navigation a drawer. */
const NARROW = '(max-width: 720px)';

export function useNarrow(): boolean {
  return useSyncExternalStore(subscribe, () => matchMedia(NARROW).matches);
}

function subscribe(listener: () => void): () => void {
  const query = matchMedia(NARROW);
  query.addEventListener('change', listener);
  return () => query.removeEventListener('change', listener);
}
