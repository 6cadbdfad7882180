import { PassThrough } from 'node:stream';
import type { HostRecord, Signal } from '@dstack/core';
import type { Store } from '@dstack/store';
import { pino } from 'pino';
import { afterEach, expect, it } from 'vitest';
import type { LogStore } from '../logs/log-store.ts';
import { Hosts } from './hosts.ts';

const closing: Hosts[] = [];
afterEach(() => Promise.all(closing.splice(0).map((hosts) => hosts.close())));

/**
 * The parts of a store that the state of a host needs; `whileSaving`: what others commit meanwhile.
 */
function database(whileSaving: (bound: string[]) => void) {
  const bound: string[] = [];
  const saved: HostRecord[] = [];
  const signals: Signal[] = [];
  const store = {
    shared: false,
    hosts: {
      byId: async (id: string) => saved.at(-1) ?? { id, connected: true },
      async save(host: HostRecord, extras?: { readonly signals?: readonly Signal[] }) {
        whileSaving(bound);
        saved.push(host);
        signals.push(...(extras?.signals ?? []));
      },
    },
    engine: {
      claimHost: async () => true,
      releaseHost: async () => {},
      hostDependants: async () => bound.map((id) => ({ kind: 'instance', id })),
      signal: async (some: readonly Signal[]) => void signals.push(...some),
    },
  };
  return { store: store as unknown as Store, saved, signals };
}

it('wakes an instance that was bound to its host while the state of the host was stored', async () => {
  const { store, saved, signals } = database((bound) => bound.push('instance'));
  const hosts = new Hosts({
    store,
    logs: {} as LogStore,
    serverId: 'server',
    owner: 'one',
    now: () => 1,
    log: pino({ level: 'silent' }),
  });
  closing.push(hosts);
  const prepare = () => Promise.reject(new Error('nothing answers here'));
  await hosts.add({ hostId: 'host', dial: () => new PassThrough(), token: '', prepare });
  expect(saved.map(({ connected }) => connected)).toEqual([false]);
  expect(signals).toContainEqual({ kind: 'instance', id: 'instance' });
});
