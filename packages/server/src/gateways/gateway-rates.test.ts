import { expect, it } from 'vitest';
import { GatewayRates, type GatewayRatesOptions } from './gateway-rates.ts';

const frame = { type: 'rate', n: 1, run_id: 'r', key: 'k', rps: 2, burst: 3, most: 10 } as const;

it('the replicas of a gateway share a rate, and those of another gateway have their own', async () => {
  const clock = { now: 0 };
  const services = { takeRates: () => Promise.reject(new Error('one server counts by itself')) };
  const rates = new GatewayRates({ store: { shared: false, services }, now: () => clock.now });
  expect(await rates.take('a', frame)).toEqual({ granted: 4, wait_ms: 500 });
  expect(await rates.take('a', frame)).toEqual({ granted: 0, wait_ms: 500 });
  expect(await rates.take('b', frame)).toEqual({ granted: 4, wait_ms: 500 });
  clock.now = 500_000;
  expect(await rates.take('a', { ...frame, most: 1 })).toEqual({ granted: 1, wait_ms: 0 });
  clock.now = 60_000_000;
  expect(await rates.take('a', { ...frame, waited_ms: 1000 })).toMatchObject({ granted: 6 });
});

it('several servers count a rate in their database, by keys that another gateway cannot choose', async () => {
  const keys: string[] = [];
  const asked: object[] = [];
  const services: GatewayRatesOptions['store']['services'] = {
    takeRates: async (key, rate, requests) => {
      keys.push(key);
      asked.push({ ...rate, ...requests });
      return { granted: 0, waitMs: 250 };
    },
  };
  const rates = new GatewayRates({ store: { shared: true, services }, now: () => 0 });
  expect(await rates.take('a', frame)).toEqual({ granted: 0, wait_ms: 250 });
  await rates.take('b', { ...frame, waited_ms: 40 });
  expect(new Set(keys).size).toBe(2);
  const limit = { rps: 2, burst: 3, most: 10, now: 0 };
  expect(asked).toEqual([
    { ...limit, waitedMs: 0 },
    { ...limit, waitedMs: 40 },
  ]);
});

it('a flood of one gateway keeps few connections to the database busy, and no other gateway waits for it', async () => {
  const open = new Set<() => void>();
  const services: GatewayRatesOptions['store']['services'] = {
    takeRates: () =>
      new Promise((resolve) => {
        open.add(() => resolve({ granted: 1, waitMs: 0 }));
      }),
  };
  const rates = new GatewayRates({ store: { shared: true, services }, now: () => 0 });
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const flood = Array.from({ length: 100 }, (_, n) => rates.take('a', { ...frame, key: `k${n}` }));
  await settled();
  expect(open.size).toBe(4);
  const other = rates.take('b', frame);
  await settled();
  expect(open.size).toBe(5);
  let answered = 0;
  const all = Promise.all(
    [...flood, other].map(async (one) => {
      await one;
      answered += 1;
    }),
  );
  while (answered < 101) {
    for (const answer of open) answer();
    open.clear();
    await settled();
  }
  await all;
});

it('a gateway with ever new keys adds few rows to the database, and further keys are counted as well', async () => {
  const clock = { now: 0 };
  const stored = new Set<string>();
  const services: GatewayRatesOptions['store']['services'] = {
    takeRates: async (key) => {
      stored.add(key);
      return { granted: 1, waitMs: 0 };
    },
  };
  const rates = new GatewayRates({ store: { shared: true, services }, now: () => clock.now });
  const take = (gateway: string, n: number) => rates.take(gateway, { ...frame, key: `k${n}` });
  for (let n = 0; n < 7000; n += 1) await take('a', n);
  expect(stored.size).toBe(6000);
  expect(await take('a', 7000)).toEqual({ granted: 4, wait_ms: 500 });
  expect(await take('a', 7000)).toEqual({ granted: 0, wait_ms: 500 });
  // Those that it has had go on as before, and other gateways too.
  expect(await take('a', 1)).toMatchObject({ granted: 1 });
  expect(await take('b', 1)).toMatchObject({ granted: 1 });
  clock.now = 60_000_000;
  expect(await take('a', 8000)).toMatchObject({ granted: 1 });
  expect(stored.size).toBe(6002);
});
