import { SECOND } from '@dstack/core';
import type { EngineStore, LeasedKind } from '@dstack/store';
import type { KeyWork } from './work-queue.ts';

/** A lease outlives a server that died by at most this time (µs). */
const TTL = 9 * SECOND;

/** Three chances to renew before it expires. */
const RENEW_MS = 3000;

/**
 * Work on a key that only one of several servers does at a time. The second server tries again
 * a little later, since a signal that came during the holder's pass may be for it.
 */
export function leased(
  store: Pick<EngineStore, 'claim' | 'renew' | 'release'>,
  kind: LeasedKind,
  owner: string,
  work: KeyWork,
): KeyWork {
  return async (key) => {
    if (!(await store.claim(kind, key, owner, TTL))) return { ending: 'retry', error: null };
    const renewal = setInterval(() => {
      // A lease that cannot be renewed is lost; the guarded write then refuses the decision.
      store.renew(kind, key, owner, TTL).catch(() => {});
    }, RENEW_MS);
    try {
      return await work(key);
    } finally {
      clearInterval(renewal);
      await store.release(kind, key, owner);
    }
  };
}
