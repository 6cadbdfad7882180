/** A worker keeps what models have used, and the server stores it. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KeptCounts, type KeptFiles, KeptUses } from '@dstack/proxy';
import { away, linked } from '@dstack/proxy/testing';
import type { ModelUse, Store } from '@dstack/store';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { spoolPaths } from './worker-records.ts';
import { WorkerSpools } from './worker-spools.ts';

const log = pino({ level: 'silent' });
const use = {
  ...{ projectId: 'p', userId: 'u', tokenId: 't', model: 'm', day: 1, requests: 1 },
  ...{ aborted: 0, estimated: 0, promptTokens: 3, completionTokens: 4 },
};

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'dstack-uses-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A database: it adds each batch once. */
function database() {
  const batches = new Map<string, readonly { readonly requests: number }[]>();
  const woken: string[] = [];
  const at = { sendings: 0, isBroken: false, isDying: false };
  const store = async (items: readonly { readonly requests: number }[], batch = '') => {
    at.sendings += 1;
    if (at.isBroken) throw new Error('no database');
    batches.set(batch, batches.get(batch) ?? items);
    if (at.isDying) await new Promise(() => {});
  };
  const modelUsage = {
    add: (uses: readonly ModelUse[], delivery?: { readonly batch: string } | null) =>
      store(uses, delivery?.batch),
  };
  const services: { addRequests: Store['services']['addRequests'] } = {
    async addRequests(_owner, counts, extras, delivery) {
      woken.push(...(extras?.signals ?? []).map(({ id }) => id));
      await store(counts, delivery?.batch);
    },
  };
  const requests = () => [...batches.values()].flat().reduce((sum, one) => sum + one.requests, 0);
  return { at, requests, woken, modelUsage, services };
}

const NOW = 1_700_000_000;

/** A server whose worker is `w`. */
function server(store: ReturnType<typeof database>) {
  const used: string[] = [];
  const onUsed = (tokens: readonly string[]) => used.push(...tokens);
  const spools = new WorkerSpools({ dir, store, onUsed, now: () => NOW * 1_000_000, log });
  return { spools, used, deliver: (kept: KeptFiles) => spools.deliver('w', kept) };
}

type Link = ReturnType<typeof linked>['link'];

const keptBy = (link: Link) => new KeptUses({ link, dir: spoolPaths(dir, 'w').uses, log });
const countedBy = (link: Link) =>
  new KeptCounts({ link, dir: spoolPaths(dir, 'w').counts, now: () => NOW * 1000, log });
const files = (of: 'uses' | 'counts') =>
  readdirSync(spoolPaths(dir, 'w')[of]).filter((name) => name.endsWith('.json'));
const kept = () => files('uses');

it('a use is stored when its request ends, and leaves the disk', async () => {
  const store = database();
  const { deliver, used } = server(store);
  const { link, connect } = linked({ deliver });
  const usage = keptBy(link);
  connect();
  await Promise.all([usage.add([use]), usage.add([use, use])]);
  expect(store.requests()).toBe(3);
  expect(new Set(used)).toEqual(new Set(['t']));
  expect(kept()).toEqual([]);
});

it('a use that a killed server has stored is counted once by the next one, and those from in between too', async () => {
  const store = database();
  const first = server(store);
  const { link, connect } = linked({ deliver: first.deliver });
  const usage = keptBy(link);
  // It is killed between the commit and the answer.
  store.at.isDying = true;
  const channel = connect();
  const asked = usage.add([use]);
  await expect.poll(() => store.at.sendings).toBe(1);
  await away(link, channel);
  await asked;
  await usage.add([use]);
  store.at.isDying = false;
  await server(store).spools.deliverKept('w');
  expect(kept()).toEqual([]);
  expect(store.requests()).toBe(2);
});

it('what a killed worker has kept is stored once, and its folder is removed', async () => {
  const store = database();
  await keptBy(linked({}).link).add([use, use]);
  const { spools } = server(store);
  await spools.collect((id) => id === 'w');
  expect(store.requests()).toBe(0);
  await spools.collect(() => false);
  expect(store.requests()).toBe(2);
  expect(existsSync(spoolPaths(dir, 'w').uses)).toBe(false);
});

it('what the database cannot store now stays, and is stored with what follows', async () => {
  const store = database();
  const { deliver, spools } = server(store);
  const { link, connect } = linked({ deliver });
  const usage = keptBy(link);
  connect();
  store.at.isBroken = true;
  await usage.add([use]);
  expect(kept()).toHaveLength(1);
  store.at.isBroken = false;
  await usage.add([use]);
  expect(kept()).toEqual([]);
  expect(store.requests()).toBe(2);
  spools.close();
});

it('counted requests are stored once, whichever process is killed, and those of no use any more are not', async () => {
  const store = database();
  const first = server(store);
  const { link, connect } = linked({ deliver: first.deliver });
  const counts = countedBy(link);
  const count = (requests: number, wakes: readonly string[] = [], second = NOW) =>
    counts.add([{ runId: 'web', second, requests }], wakes);
  await count(1);
  await count(9, [], NOW - 3600);
  store.at.isDying = true;
  const channel = connect();
  const asked = count(2, ['web']);
  await expect.poll(() => store.at.sendings).toBe(1);
  // The server is killed between the commit and the answer.
  await away(link, channel);
  await asked;
  await count(4);
  store.at.isDying = false;
  // The worker is killed too: the next server finds its folder.
  await server(store).spools.collect(() => false);
  expect(store.requests()).toBe(7);
  expect(store.woken).toContain('web');
  expect(existsSync(spoolPaths(dir, 'w').counts)).toBe(false);
});

it('a worker without a server keeps no counts that have lost their meaning', async () => {
  let now = NOW * 1000;
  const { link } = linked({});
  const dirOfCounts = spoolPaths(dir, 'w').counts;
  const counts = new KeptCounts({ link, dir: dirOfCounts, now: () => now, log });
  for (let second = 0; second < 700; second += 100) {
    await counts.add([{ runId: 'web', second, requests: 1 }], []);
    now += 100_000;
  }
  expect(files('counts')).toHaveLength(6);
});

it('what is counted while the database still stores an earlier count is stored next', async () => {
  const store = database();
  const { deliver } = server(store);
  const { link, connect } = linked({ deliver });
  const counts = countedBy(link);
  connect();
  const storing = Promise.withResolvers<void>();
  const add = store.services.addRequests;
  store.services.addRequests = async (...asked) => {
    await add(...asked);
    await storing.promise;
  };
  const count = (run: string) => counts.add([{ runId: run, second: NOW, requests: 1 }], [run]);
  const first = count('web');
  await expect.poll(() => store.woken).toEqual(['web']);
  const others = Promise.all([count('other'), count('third')]);
  storing.resolve();
  await Promise.all([first, others]);
  expect(store.woken.slice(1).toSorted()).toEqual(['other', 'third']);
  expect([store.requests(), files('counts')]).toEqual([3, []]);
});

it('a run that is woken all the time is reported once a second', async () => {
  let now = NOW * 1000;
  const delivered: KeptFiles[] = [];
  const { link, connect } = linked({ deliver: (kept) => void delivered.push(kept) });
  const counts = new KeptCounts({ link, dir: spoolPaths(dir, 'w').counts, now: () => now, log });
  connect();
  const count = (run: string) => counts.add([{ runId: run, second: NOW, requests: 1 }], [run]);
  for (let n = 0; n < 21; n++) {
    await count('web');
    now += 50;
  }
  expect(delivered).toHaveLength(2);
  await count('other');
  expect(delivered).toHaveLength(3);
});
