import type { LeasedKind } from '@dstack/store';
import { expect, it } from 'vitest';
import { LeaseTurns } from './lease-turns.ts';
import { type LeaseStore, leased } from './leased.ts';

/** Servers on one database whose clock is moved by hand (ms). */
function database() {
  let now = 0;
  const leases = new Map<string, { readonly owner: string; readonly until: number }>();
  const listeners = new Set<(text: string) => void>();
  const key = (kind: LeasedKind, id: string) => `${kind} ${id}`;
  const store: LeaseStore = {
    claim: async (kind, id, owner, ttl) => {
      const held = leases.get(key(kind, id));
      if (held && held.until >= now) return false;
      leases.set(key(kind, id), { owner, until: now + ttl / 1000 });
      return true;
    },
    renew: async () => true,
    release: async (kind, id) => void leases.delete(key(kind, id)),
    leaseLeft: async (kind, id) => {
      const held = leases.get(key(kind, id));
      return held && held.until >= now ? (held.until - now) * 1000 : null;
    },
  };
  const turns = (freed: string[] = []) => {
    const own = { listener: (_text: string) => {} };
    return new LeaseTurns({
      onFree: (kind, id) => freed.push(key(kind, id)),
      peers: {
        send: (texts) => {
          for (const listener of listeners) {
            if (listener !== own.listener) for (const text of texts) listener(text);
          }
        },
        subscribe: (listener) => {
          own.listener = listener;
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
      },
    });
  };
  return { store, turns, pass: (ms: number) => (now += ms) };
}

it('ends where what was leased is deleted, such as a pool that became part of another', async () => {
  const { store } = database();
  const gone = { ...store, claim: async () => false, leaseLeft: async () => 'gone' as const };
  expect(await leased(gone, 'pool', 'one', done)('p')).toEqual({ ending: 'done' });
});

const done = async () => ({ ending: 'done' }) as const;

it('waits until the lease of a server that died expires, and not for longer', async () => {
  const { store, pass } = database();
  await store.claim('pool', 'p', 'dead', 9_000_000);
  const work = leased(store, 'pool', 'alive', done);
  pass(2000);
  expect(await work('p')).toEqual({ ending: 'held', ms: 7010 });
  pass(7010);
  expect(await work('p')).toEqual({ ending: 'done' });
});

it('is notified by the holder when the lease is free', async () => {
  const { store, turns } = database();
  const freed: string[] = [];
  const end = Promise.withResolvers<void>();
  const slow = async () => {
    await end.promise;
    return { ending: 'done' } as const;
  };
  const first = leased(store, 'run', 'first', slow, turns())('r');
  const second = leased(store, 'run', 'second', done, turns(freed));
  // The first look comes soon, because the release may have crossed the question.
  expect(await second('r')).toEqual({ ending: 'held', ms: 100 });
  expect(await second('r')).toEqual({ ending: 'held', ms: 9010 });
  expect(freed).toEqual([]);
  end.resolve();
  await first;
  expect(freed).toEqual(['run r']);
  expect(await second('r')).toEqual({ ending: 'done' });
});

it('sends no message about a lease that no server waits for', async () => {
  const { store, turns } = database();
  const freed: string[] = [];
  turns(freed);
  await leased(store, 'run', 'first', done, turns())('r');
  expect(freed).toEqual([]);
});

it('ignores messages of other parts of the server', () => {
  const listeners: ((text: string) => void)[] = [];
  const subscribe = (listener: (text: string) => void) => {
    listeners.push(listener);
    return () => {};
  };
  new LeaseTurns({ peers: { send: () => {}, subscribe }, onFree: () => {} });
  expect(() => listeners[0]?.('not JSON')).not.toThrow();
});
