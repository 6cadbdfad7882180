import type { QueryClient } from '@tanstack/react-query';
import { refreshRunLists } from '../runs/run-cache.ts';
import { ChangeApplier } from './apply-changes.ts';
import type { LiveFeed, LiveState } from './live-state.ts';

export interface Live {
  readonly state: LiveState;
  readonly subscribe: (listener: () => void) => () => void;
  /** Begins with the session of a user, and ends with it. */
  readonly start: () => () => void;
  readonly retry: () => void;
}

/** For what changes without a report of the server: hosts measure every ten seconds. */
const REGULAR_MS = 10_000;

/** One frame: changes that arrive within it are drawn together. */
const BATCH_MS = 16;

/** Writes changes into the cache. Pages only read the cache; none of them polls. */
export function createLive(feed: LiveFeed, cache: QueryClient): Live {
  const listeners = new Set<() => void>();
  let state: LiveState = { kind: 'connecting' };
  return {
    get state() {
      return state;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    start() {
      const changes = new ChangeApplier(cache, (run) => setTimeout(run, BATCH_MS));
      const stop = feed.start({
        onState(next) {
          state = next;
          for (const listener of listeners) listener();
        },
        onChange: changes.add,
        onGap: () => refresh(cache),
      });
      const timer = setInterval(() => {
        if (document.visibilityState === 'visible' && state.kind !== 'offline')
          refreshRegular(cache);
      }, REGULAR_MS);
      return () => {
        stop();
        clearInterval(timer);
      };
    },
    retry: feed.retry,
  };
}

/** Asks for everything that is on the page again; the data stays until the answers are there. */
function refresh(cache: QueryClient): void {
  void refreshRunLists(cache);
  void cache.invalidateQueries({ predicate: ({ meta }) => meta?.refreshed === undefined });
}

function refreshRegular(cache: QueryClient): void {
  void cache.invalidateQueries({ predicate: ({ meta }) => meta?.refreshed === 'regularly' });
}
