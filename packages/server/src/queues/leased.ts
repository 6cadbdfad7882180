import { SECOND } from '@dstack/core';
import type { EngineStore, LeasedKind } from '@dstack/store';
import type { LeaseTurns } from './lease-turns.ts';
import type { KeyWork } from './work-queue.ts';

/** A lease outlives a server that died by at most this time (µs). */
const TTL = 9 * SECOND;

/** Three chances to renew before it expires. */
const RENEW_MS = 3000;

/** After the expiry: by then the database's clock has certainly reached it. */
const MARGIN_MS = 10;

export type LeaseStore = Pick<EngineStore, 'claim' | 'renew' | 'release' | 'leaseLeft'>;

/**
 * Work on a key that only one of several servers does at a time. The second server waits until the
 * lease is released or expires, since a signal that came during the holder's pass may be for it.
 * `turns` notifies servers of releases; without it they are noticed when the lease would expire.
 */
export function leased(
  store: LeaseStore,
  kind: LeasedKind,
  owner: string,
  work: KeyWork,
  turns: LeaseTurns | null = null,
): KeyWork {
  return async (key) => {
    if (!(await store.claim(kind, key, owner, TTL))) {
      const left = await store.leaseLeft(kind, key);
      if (left === 'gone') return { ending: 'done' };
      const ms = Math.ceil((left ?? 0) / 1000) + MARGIN_MS;
      return { ending: 'held', ms: turns?.wait(kind, key, ms) ?? ms };
    }
    turns?.taken(kind, key);
    const renewal = setInterval(() => {
      // A lease that cannot be renewed is lost; the guarded write then refuses the decision.
      store.renew(kind, key, owner, TTL).catch(() => {});
    }, RENEW_MS);
    try {
      return await work(key);
    } finally {
      clearInterval(renewal);
      await store.release(kind, key, owner).finally(() => turns?.released(kind, key));
    }
  };
}
