import type { RunContext, Signal } from '@dstack/core';
import type { Store } from '@dstack/store';
import { pino } from 'pino';
import { expect, it, vi } from 'vitest';
import type { OfferSource } from '../offers/offer-source.ts';
import { Engine } from './engine.ts';
import type { LogQuota } from './log-quota.ts';
import { RunChanges } from './run-changes.ts';

/** An engine on an empty database; a test signals all work. */
async function started(effect: (key: string) => Promise<void>) {
  let signal = (_: Signal) => {};
  const engine = {
    onSignal: (listener: (signal: Signal) => void) => {
      signal = listener;
      return () => {};
    },
    dropLeases: async () => {},
    unfinished: async () => [],
  };
  const made = new Engine({
    store: { shared: false, engine } as unknown as Store,
    offers: {} as OfferSource,
    effect: async (key) => {
      await effect(key);
      return { ending: 'done' };
    },
    effectIsOurs: async () => true,
    measureTime: async () => {},
    backends: { find: async () => null },
    links: { follow: async () => {} },
    hosts: { isElsewhere: async () => false },
    context: () => ({ now: 0 }) as RunContext,
    changes: new RunChanges(),
    quota: {} as LogQuota,
    log: pino({ level: 'silent' }),
    owner: 'o',
  });
  await made.start();
  return { made, announce: (key: string) => signal({ kind: 'intent', id: key }) };
}

it('starts jobs while any number of machines are slow to appear', async () => {
  const slow = Promise.withResolvers<void>();
  const carried: string[] = [];
  const { made, announce } = await started(async (key) => {
    if (key === 'job.start:one:0') carried.push(key);
    else await slow.promise;
  });
  for (let host = 0; host < 200; host++) announce(`instance.create:${host}:0`);
  announce('job.start:one:0');
  await vi.waitFor(() => expect(carried).toEqual(['job.start:one:0']));
  const { intent } = made.depths();
  expect(intent.waiting + intent.running).toBe(200);
  slow.resolve();
  await made.close();
});
