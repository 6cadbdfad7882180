import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { BackendError } from '@dstack/backends';
import {
  CLAIM_LIFETIME,
  CLAIM_WATCH,
  CONFIRM_AFTER,
  type IntentRecord,
  SECOND,
} from '@dstack/core';
import { openStore, type Store } from '@dstack/store';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { insertInstances } from '../http/testing/services.ts';
import { startTestServer, type TestServer } from '../http/testing/test-server.ts';
import type { SweepPolicy } from './sweep-backend.ts';
import { Sweeper } from './sweeper.ts';
import { type SimAccount, simAccount } from './testing/sim-account.ts';

const T0 = 1_800_000_000 * SECOND;
const HOUR = 3600 * SECOND;
const log = pino({ level: 'silent' });

let server: TestServer;
let serverId: string;
let account: SimAccount;
let copies: { readonly store: Store; readonly sweeper: Sweeper }[];

beforeEach(async () => {
  server = await startTestServer();
  serverId = await server.store.meta.serverId();
  account = simAccount(T0);
  copies = [];
  await configure('main');
});
afterEach(async () => {
  for (const { store, sweeper } of copies) {
    await sweeper.close();
    if (store !== server.store) await store.close();
  }
  await server.close();
});

/** The account is the backend `aws` of the project. */
async function configure(projectName: string): Promise<void> {
  const project = await server.store.projects.byName(projectName);
  await server.store.backends.insert({
    ...{ id: `backend-of-${projectName}`, projectId: project?.id ?? '', type: 'aws' },
    ...{ config: {}, sourceConfig: null, auth: {}, sourceAuth: null, createdAt: 0, updatedAt: 0 },
  });
}

function installation(policy: SweepPolicy, store = server.store, backend = account.backend) {
  const sweeper = new Sweeper({
    ...{ store, serverId, policy, log, owner: 'test', now: () => account.clock.now },
    backends: { of: async () => [backend] },
  });
  copies.push({ store, sweeper });
  return sweeper;
}

/** A new server on a copy of the present database. */
async function copyDatabase(name: string): Promise<Store> {
  const path = join(server.dir, `${name}.db`);
  const source = new DatabaseSync(join(server.dir, 'test.db'), { readOnly: true });
  await backup(source, path);
  source.close();
  const cipher = { encrypt: (text: string) => text, decrypt: (text: string) => text };
  return await openStore({
    ...{ url: `sqlite:///${path}`, now: () => account.clock.now, newId: randomUUID },
    ...{ logger: log, cipher },
  });
}

async function sweepAt(at: number, ...sweepers: readonly Sweeper[]): Promise<void> {
  account.clock.now = at;
  for (const sweeper of sweepers) await sweeper.sweep();
}

/** Lets time pass, and every installation sweep whenever it is due. */
async function pass(time: number, ...sweepers: readonly Sweeper[]): Promise<void> {
  const until = account.clock.now + time;
  for (let at = account.clock.now; at <= until; at += CONFIRM_AFTER) await sweepAt(at, ...sweepers);
}

const eventTexts = async (store = server.store) =>
  (await store.events.list({ visibleTo: null, page: { limit: 100, ascending: true } }))
    .map(({ message }) => message)
    .filter((message) => message.startsWith('Orphaned'));

const report = async () =>
  (await server.call('/api/server/orphans', undefined, { method: 'GET' })).body;

/** A row with the machine, terminated or not. */
async function insertRow(machine: string, part: object = {}): Promise<void> {
  const [id = ''] = await insertInstances(server, 1);
  await server.store.engine.updateInstance(id, ({ instance }) => ({
    changes: [
      {
        ...{ type: 'instance.update', id, version: instance.version },
        set: { backend: 'aws', handle: { id: machine, data: null }, ...part },
      },
    ],
  }));
}

const KEY = 'instance.create:i:0';

async function insertIntent(part: Partial<IntentRecord>): Promise<void> {
  const payload = { kind: 'instance.create', offers: [], maxTries: 1, totalOffers: 0 } as const;
  const intent: IntentRecord = {
    ...{ key: KEY, kind: 'instance.create', subjectId: 'i', attempt: 0, payload },
    ...{ state: 'announced', result: null, error: null, createdAt: T0, updatedAt: T0, ...part },
  };
  await server.store.engine.apply([{ type: 'intent.insert', intent }]);
}

describe('a sweep', () => {
  it('reports a machine of which the database has no record, by event, endpoint and metric', async () => {
    const machine = await account.order(serverId, KEY);
    const sweeper = installation('report');
    await sweepAt(T0, sweeper);
    expect(await eventTexts()).toEqual([]);
    expect((await report()).orphans).toMatchObject([{ confirmed: false }]);
    await sweepAt(T0 + CONFIRM_AFTER, sweeper);
    expect(await eventTexts()).toEqual([
      expect.stringContaining(`Orphaned instance ${machine} in aws found`),
    ]);
    const { orphans, sweeps } = await report();
    expect(orphans).toMatchObject([
      {
        ...{ kind: 'instance', project_name: 'main', backend: 'aws', external_id: machine },
        created_for: { project: 'main', fleet: 'pool', instance: 'pool-0' },
        ...{ confirmed: true, terminating: false, reason: 'DSTACK_SERVER_SWEEP is report' },
      },
    ]);
    expect(sweeps).toMatchObject([{ project_name: 'main', backend: 'aws', error: null }]);
    expect(await server.deps.metrics?.text()).toContain(
      'dstack_orphans{dstack_backend="aws",kind="instance"} 1',
    );
    await pass(CLAIM_WATCH + HOUR, sweeper);
    expect(account.machines).toEqual([machine]);
  });

  it('leaves alone what has a row, is being created, or belongs to another server', async () => {
    await insertRow(await account.order(serverId, 'instance.create:row:0'));
    await account.order(serverId, KEY);
    await insertIntent({});
    await account.order('another server', 'instance.create:other:0');
    const sweeper = installation('terminate');
    await pass(CLAIM_WATCH + 2 * HOUR, sweeper);
    expect(account.machines).toHaveLength(3);
    expect((await report()).orphans).toEqual([]);
  });

  it('waits for a row to take over what its order has created', async () => {
    const machine = await account.order(serverId, KEY);
    const [subjectId = ''] = await insertInstances(server, 1);
    await server.store.engine.updateInstance(subjectId, ({ instance: { id, version } }) => ({
      changes: [{ type: 'instance.update', id, version, set: { handle: null, backend: 'aws' } }],
    }));
    const handle = { id: machine, data: null };
    const rest = { offer: null, provisioningData: null, hostId: 'h' };
    const created = { kind: 'instance.created', handle, ...rest } as const;
    await insertIntent({ subjectId, state: 'done', result: created });
    await pass(HOUR, installation('report'));
    expect((await report()).orphans).toEqual([]);
  });

  it('reports a machine that outlives its terminated row', async () => {
    const machine = await account.order(serverId, KEY);
    await insertRow(machine, { status: 'terminated', deleted: true });
    await pass(CONFIRM_AFTER, installation('report'));
    expect((await report()).orphans).toMatchObject([{ external_id: machine, confirmed: true }]);
  });

  it('reports a machine once if two projects have the same account', async () => {
    await server.call('/api/projects/create', { project_name: 'other' });
    await configure('other');
    await account.order(serverId, KEY);
    let [renewing, most] = [0, 0];
    const { claims } = account.backend;
    if (claims === undefined) throw new Error('the backend keeps claims');
    const renew: typeof claims.renew = async (...claim) => {
      most = Math.max(most, ++renewing);
      await claims.renew(...claim).finally(() => renewing--);
    };
    const backend = { ...account.backend, claims: { ...claims, renew } };
    await pass(2 * HOUR, installation('terminate', server.store, backend));
    expect(most).toBe(1);
    expect(await eventTexts()).toHaveLength(1);
    // Renewing the claim of one account twice must not look like a rival.
    const { sweeps } = await report();
    expect(sweeps.map((sweep: { only_reported: string }) => sweep.only_reported)).toEqual(
      Array(2).fill(expect.stringContaining('for 3 hours first')),
    );
  });

  it('records why it failed, and tries again later and later', async () => {
    account.faults.error = 1;
    const sweeper = installation('report');
    await sweepAt(T0, sweeper);
    const delays: number[] = [];
    for (let at = T0; delays.length < 4; ) {
      const [sweep] = await server.store.sweeps.list();
      delays.push(((sweep?.nextAt ?? 0) - at) / SECOND);
      at = sweep?.nextAt ?? 0;
      await sweepAt(at, sweeper);
    }
    for (const [n, delay] of delays.entries()) {
      expect(Math.abs(delay - 60 * 2 ** n)).toBeLessThanOrEqual(6 * 2 ** n);
    }
    expect((await report()).sweeps).toMatchObject([{ error: '500 Internal Server Error' }]);
    account.faults.error = 0;
    await pass(HOUR, sweeper);
    expect((await report()).sweeps).toMatchObject([{ error: null }]);
  });

  it('forgets a backend that is not configured any more', async () => {
    await account.order(serverId, KEY);
    const sweeper = installation('report');
    await pass(CONFIRM_AFTER, sweeper);
    const project = await server.store.projects.byName('main');
    await server.store.backends.delete(project?.id ?? '', ['aws']);
    await pass(HOUR, sweeper);
    expect(await report()).toEqual({ orphans: [], sweeps: [] });
  });
});

describe('orphans that may be terminated', () => {
  it('are terminated once the server has held the only claim for hours', async () => {
    const machine = await account.order(serverId, KEY);
    const sweeper = installation('terminate');
    await pass(CLAIM_WATCH - HOUR, sweeper);
    expect((await report()).orphans[0].reason).toContain('for 3 hours first');
    await pass(2 * HOUR, sweeper);
    expect(account.machines).toEqual([]);
    await pass(HOUR, sweeper);
    expect((await eventTexts()).at(-1)).toBe(
      `Orphaned instance ${machine} in aws terminated by the server`,
    );
    expect((await report()).orphans).toEqual([]);
  });

  it('are terminated also after the backend was removed and configured again', async () => {
    const sweeper = installation('terminate');
    await pass(HOUR, sweeper);
    const project = await server.store.projects.byName('main');
    await server.store.backends.delete(project?.id ?? '', ['aws']);
    await pass(HOUR, sweeper);
    await configure('main');
    await account.order(serverId, KEY);
    await pass(CLAIM_WATCH + 2 * HOUR, sweeper);
    expect(account.machines).toEqual([]);
  });

  it('are only reported where the backend cannot keep claims', async () => {
    const machine = await account.order(serverId, KEY);
    const { claims: _, ...backend } = account.backend;
    await pass(2 * CLAIM_WATCH, installation('terminate', server.store, backend));
    expect(account.machines).toEqual([machine]);
    expect((await report()).orphans[0].reason).toBe('backend aws cannot keep claims');
  });

  it('are only reported while the claim cannot be renewed', async () => {
    await account.order(serverId, KEY);
    const claims = {
      read: async () => [],
      renew: () => Promise.reject(new BackendError('no permission to write tags')),
    };
    const backend = { ...account.backend, claims };
    await pass(2 * CLAIM_WATCH, installation('terminate', server.store, backend));
    expect(account.machines).toHaveLength(1);
    expect((await report()).orphans[0].reason).toContain('no permission to write tags');
  });

  it('are terminated although the answer to an earlier renewal of the claim was lost', async () => {
    await account.order(serverId, KEY);
    const { claims: kept } = account.backend;
    if (kept === undefined) throw new Error('the account keeps no claims');
    let losesAnswer = false;
    const claims: typeof kept = {
      read: (owner) => kept.read(owner),
      renew: async (owner, claim) => {
        await kept.renew(owner, claim);
        if (losesAnswer) throw new BackendError('no answer');
      },
    };
    const sweeper = installation('terminate', server.store, { ...account.backend, claims });
    await pass(HOUR, sweeper);
    losesAnswer = true;
    await pass(HOUR, sweeper);
    losesAnswer = false;
    await pass(CLAIM_WATCH + 2 * HOUR, sweeper);
    expect(account.machines).toEqual([]);
  });

  it('are asked for again until the provider has ended them', async () => {
    await account.order(serverId, KEY);
    const sweeper = installation('terminate');
    // Sweeps have random offsets, so the last one before the end of the watch stays clear of it.
    await pass(CLAIM_WATCH - HOUR, sweeper);
    expect(account.machines).toHaveLength(1);
    const { instances } = account.backend;
    if (instances === null) throw new Error('the backend has instances');
    let refusals = 3;
    const release = async (handle: { id: string; data: null | string }) => {
      if (refusals-- > 0) throw new BackendError('the machine is locked');
      return await instances.release(handle);
    };
    const stubborn = { ...account.backend, instances: { ...instances, release } };
    const other = installation('terminate', server.store, stubborn);
    // Sweeps are an hour apart, with random offsets, and failures delay the next one.
    await pass(CLAIM_WATCH + 8 * HOUR, other);
    expect(account.machines).toEqual([]);
    expect(refusals).toBeLessThan(0);
  });
});

describe('a database that was copied', () => {
  it('ends nothing of the original, nor the original anything of the copy', async () => {
    const original = installation('terminate');
    await pass(CLAIM_WATCH + HOUR, original);
    const store = await copyDatabase('copy');
    const copy = installation('terminate', store);
    const machines = [
      await account.order(serverId, 'instance.create:of-the-original:0'),
      await account.order(serverId, 'instance.create:of-the-copy:0'),
    ];
    await insertRow(machines[0] ?? '');
    await pass(24 * HOUR, copy, original);
    expect(account.machines).toEqual(machines);
    const { orphans } = await report();
    expect(orphans).toMatchObject([{ external_id: machines[1], confirmed: true }]);
    expect(orphans[0].reason).toContain('another installation');
    const [created = '', copied = ''] = machines;
    expect(await eventTexts(store)).toEqual(
      [created, copied].map((machine) => expect.stringContaining(machine)),
    );
  });

  it('and restored reports what was created since, and ends it when the former claim has expired', async () => {
    const lost = installation('terminate');
    await pass(HOUR, lost);
    const store = await copyDatabase('restored');
    const restored = installation('terminate', store);
    const machine = await account.order(serverId, 'instance.create:after-the-backup:0');
    await insertRow(machine);
    await pass(5 * HOUR, lost);
    // Only the restored database is used afterwards.
    await pass(2 * HOUR, restored);
    expect(await eventTexts(store)).toEqual([expect.stringContaining(machine)]);
    await pass(CLAIM_LIFETIME - 3 * HOUR, restored);
    expect(account.machines).toEqual([machine]);
    await pass(2 * CLAIM_WATCH, restored);
    expect(account.machines).toEqual([]);
  });
});

it('orphans are for admins of the server only', async () => {
  await server.call('/api/users/create', { username: 'ann', global_role: 'user' });
  const ann = await server.call('/api/users/get_user', { username: 'ann' });
  const { token } = ann.body.creds;
  const answer = await server.call('/api/server/orphans', undefined, { method: 'GET', token });
  expect(answer.status).toBe(403);
});
