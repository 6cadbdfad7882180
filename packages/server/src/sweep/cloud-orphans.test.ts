import { type BackendHost, backendKind } from '@dstack/backends';
import { newOrder, OTHER_SERVER, OUR_SERVER, REQUIREMENTS } from '@dstack/backends/testing';
import { CLAIM_WATCH, CONFIRM_AFTER } from '@dstack/core';
import { type Cloud, startCloud } from '@dstack/testkit/cloud';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../http/testing/test-server.ts';
import { orphanSweeper } from './testing/orphan-sweeper.ts';

let server: TestServer;
let cloud: Cloud;
beforeEach(async () => {
  server = await startTestServer();
  cloud = await startCloud({ personality: 'digitalocean', faults: { boot_seconds: [0, 0] } });
});
afterEach(async () => {
  await cloud.close();
  await server.close();
});

/** Opens the backend like the server: by its descriptor, with the address of the API in the environment. */
async function opened() {
  const host = { facts: server.store.meta, catalog: new Map() } as unknown as BackendHost;
  const env = { DSTACK_BACKEND_DIGITALOCEAN_ENDPOINT: cloud.url };
  const opener = await backendKind('digitalocean')?.configure(env, { url: null }).load(host);
  const config = { type: 'digitalocean', creds: { type: 'api_key', api_key: cloud.apiKey } };
  const backend = (await opener?.open(config, 'secret', { isOperators: true }))?.backend;
  if (!backend?.instances) throw new Error('the backend creates no instances');
  return { ...backend, instances: backend.instances };
}

async function ordered(backend: Awaited<ReturnType<typeof opened>>): Promise<void> {
  const { offers } = await backend.offers(REQUIREMENTS.met);
  for (const owner of [OUR_SERVER, OTHER_SERVER]) {
    const order = newOrder(offers[0] ?? null, owner);
    await backend.instances.create({ ...order, authorizedKeys: ['ssh-ed25519 AAAAC3Nz main'] });
  }
}

it('ends machines of a cloud that carry the tag of this installation and have no record', async () => {
  const backend = await opened();
  await ordered(backend);
  const [ours, others] = cloud.account.vms.all();
  const clock = { now: Date.now() * 1000 };
  const sweeper = await orphanSweeper(server, { backend, type: 'digitalocean', clock });
  for (const later of [0, CONFIRM_AFTER]) {
    clock.now += later;
    await sweeper.sweep();
  }
  expect(await server.store.sweeps.orphans()).toMatchObject([
    { kind: 'instance', handle: { id: ours?.id }, owner: { project: 'main', fleet: 'pool' } },
  ]);
  expect((await server.store.sweeps.list())[0]?.hindrance).toContain('for 3 hours first');
  expect(cloud.vms()).toBe(2);
  clock.now += CLAIM_WATCH;
  await sweeper.sweep();
  expect(cloud.account.vms.all().map(({ id }) => id)).toEqual([others?.id]);
  await sweeper.close();
  // One key of the account is there for other installations to see.
  const names = cloud.account.keys.all().map(({ name }) => name);
  expect(names.filter((name) => name.startsWith('dstack-claim-'))).toHaveLength(1);
});

it('ends nothing in an account that a copy of this installation has claimed', async () => {
  const backend = await opened();
  await ordered(backend);
  await backend.claims?.renew({ server: OUR_SERVER }, { claimant: 'copy', nonce: 'of-the-copy' });
  const clock = { now: Date.now() * 1000 };
  const sweeper = await orphanSweeper(server, { backend, type: 'digitalocean', clock });
  for (const later of [0, CLAIM_WATCH, CLAIM_WATCH]) {
    clock.now += later;
    await sweeper.sweep();
  }
  await sweeper.close();
  expect(cloud.vms()).toBe(2);
  expect((await server.store.sweeps.list())[0]?.hindrance).toContain('another installation');
});

it('ends the machine of a gateway alone, because others of the gateway may use its load balancer', async () => {
  const backend = await opened();
  const owner = { server: OUR_SERVER, project: 'main', fleet: '', instance: 'edge-0' };
  const released: object[] = [];
  const gateways = {
    list: async () => [
      { handle: { id: 'i-1', data: '{}' }, owner, key: 'gateway.create:unknown:0' },
    ],
    release: async ({ id }: { readonly id: string }, how: object) => {
      released.push({ id, ...how });
      return 'released' as const;
    },
  } as unknown as NonNullable<typeof backend.gateways>;
  const clock = { now: Date.now() * 1000 };
  const sweeper = await orphanSweeper(server, {
    ...{ backend: { ...backend, gateways }, type: 'digitalocean', clock },
  });
  for (const later of [0, CONFIRM_AFTER, CLAIM_WATCH]) {
    clock.now += later;
    await sweeper.sweep();
  }
  await sweeper.close();
  expect(released).toEqual([{ id: 'i-1', ends: 'machine' }]);
});
