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

const isHidden = (): boolean => document.visibilityState === 'hidden';

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
      let missesAll = false;
      let drawnAt = 0;
      // The first change after a pause is drawn at once.
      const changes = new ChangeApplier(cache, (run) => {
        const pause = Math.max(0, drawnAt + BATCH_MS - performance.now());
        setTimeout(() => {
          drawnAt = performance.now();
          run();
        }, pause);
      });
      const stop = feed.start({
        onState(next) {
          state = next;
          for (const listener of listeners) listener();
        },
        onChange: changes.add,
        onGap() {
          if (isHidden()) missesAll = true;
          else refresh(cache);
        },
      });
      // A hidden page asks for nothing, and then for all that it has missed.
      const onVisibility = () => {
        if (isHidden()) return;
        if (missesAll) refresh(cache);
        missesAll = false;
        changes.resume();
      };
      document.addEventListener('visibilitychange', onVisibility);
      const timer = setInterval(() => {
        if (!isHidden() && state.kind !== 'offline') refreshRegular(cache);
      }, REGULAR_MS);
      return () => {
        stop();
        clearInterval(timer);
        document.removeEventListener('visibilitychange', onVisibility);
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
