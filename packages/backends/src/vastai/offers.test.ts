import { describe, expect, it } from 'vitest';
import { type Contract, type MarketAsk, VastaiApi } from './api.ts';
import { vastaiOffers } from './offers.ts';
import { TakenAsks } from './taken-asks.ts';
import { Vastai } from './vastai.ts';

const ASK: MarketAsk = {
  ...{ id: 1, gpu_name: 'RTX 4090', num_gpus: 1, gpu_ram: 24_564, cpu_cores: 64, cpu_ram: 64_000 },
  ...{ cpu_cores_effective: 8, disk_space: 100, dph_base: 0.3, storage_cost: 0.1 },
  geolocation: 'California, US',
};
const FREE = { turn: async () => {}, refused: () => {}, answered: () => {} };
const offersOf = (change: object) =>
  vastaiOffers([{ ...ASK, ...change } as MarketAsk], null).map(
    ({ instance }) => instance.resources,
  );

it('a search without prices, sizes or numbers has no offers, since they would look free', () => {
  const strange = [Number.NaN, Number.POSITIVE_INFINITY, -1, 0, null, '0.3', {}];
  for (const value of strange) {
    expect(offersOf({ dph_base: value })).toEqual([]);
    expect(offersOf({ disk_space: value })).toEqual([]);
    expect(offersOf({ cpu_cores_effective: value })).toEqual([]);
    expect(offersOf({ cpu_ram: value })).toEqual([]);
    if (value !== 0) expect(offersOf({ storage_cost: value })).toEqual([]);
    expect(offersOf({ min_bid: value })).toHaveLength(1);
    expect(offersOf({ num_gpus: value })[0]?.gpus).toEqual([]);
    expect(offersOf({ gpu_ram: value })[0]?.gpus[0]?.memory_mib).toBe(24 * 1024);
  }
  expect(offersOf({ geolocation: 7 })).toHaveLength(1);
  expect(offersOf({ gpu_name: 7 })).toEqual([]);
});

it('an offer has so much at most as a machine can have', () => {
  const [all] = offersOf({ cpu_cores: 1e300, cpu_cores_effective: 1e300, cpu_ram: 1e300 });
  expect(all?.cpus).toBe(1024);
  expect(all?.memory_mib).toBeLessThan(1e9);
  expect(offersOf({ num_gpus: 1e9 })[0]?.gpus).toHaveLength(64);
  expect(offersOf({ disk_space: 1e300 })[0]?.disk.size_mib).toBe(1e6 * 1024);
});

it.each([
  ['outbid', 'stopped', { intended_status: 'running', actual_status: 'stopped' }],
  ['outbid', 'stopped', { intended_status: 'stopped', actual_status: 'exited' }],
  ['stopped', 'stopped', { intended_status: 'running', actual_status: 'stopped', is_bid: false }],
  ['loading', 'stopped', { intended_status: 'running', actual_status: 'loading' }],
  ['starting', 'running', { intended_status: 'running', actual_status: 'stopped' }],
])('an instance is %s by the states of its container and of its machine', async (...given) => {
  const [status, state, change] = given;
  const one = { id: 5, is_bid: true, cur_state: state, next_state: state, ...change };
  const api = { contracts: async () => [one] } as unknown as VastaiApi;
  const taken = new TakenAsks({ now: () => 0 });
  const found = await new Vastai({ api, regions: null, hasCommunity: true, taken }).list();
  expect(found.map((vm) => vm.status)).toEqual([status]);
});

describe('lists of Vast.ai', () => {
  const apiWith = (answer: unknown) =>
    new VastaiApi({
      ...{ endpoint: 'https://vast.example', apiKey: 'key', limiter: FREE, search: FREE },
      fetch: async () => Response.json(answer),
    });

  it.each([7, {}, 'again'])('with %o as the next page are not believed', async (next_token) => {
    const api = apiWith({ instances: [{ id: 5 }], next_token });
    await expect(api.contracts()).rejects.toThrow('an unknown next page');
  });

  it('have keys by both names of the document, and are not believed where one is unreadable', async () => {
    const found = await apiWith([
      { id: 1, key: 'ssh-ed25519 A a' },
      { id: 2, public_key: 'ssh-ed25519 B b' },
      { id: 3, deleted_at: '2026-01-01' },
    ]).keys();
    expect(found.keys).toEqual([
      { id: '1', publicKey: 'ssh-ed25519 A a' },
      { id: '2', publicKey: 'ssh-ed25519 B b' },
    ]);
    for (const odd of [{ id: 1 }, null, { id: 2, key: 5 }]) {
      await expect(apiWith([odd]).keys()).rejects.toThrow('an SSH key that cannot be read');
    }
  });
});

it('instances of which a list has nothing but the id are instances', async () => {
  const junk = { label: 7, status_msg: {}, extra_env: 'x', actual_status: 7, dph_total: 'much' };
  const answers = [
    { id: 5 },
    { id: 6, ...junk },
    null,
    { id: 'x' },
    { id: '7' },
  ] as unknown as Contract[];
  const api = { contracts: async () => answers } as unknown as VastaiApi;
  const taken = new TakenAsks({ now: () => 0 });
  const found = await new Vastai({ api, regions: null, hasCommunity: true, taken }).list();
  expect(found.map(({ id, status, price }) => [id, status, price])).toEqual([
    ...[
      ['5', 'provisioning', null],
      ['6', 'provisioning', null],
      ['7', 'provisioning', null],
    ],
  ]);
});
