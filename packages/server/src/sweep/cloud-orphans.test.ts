import { type BackendHost, backendKind } from '@dstack/backends';
import { newOrder, OTHER_SERVER, OUR_SERVER, REQUIREMENTS } from '@dstack/backends/testing';
import { CONFIRM_AFTER } from '@dstack/core';
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

/** As the server opens it: by its descriptor, with the address of the API in the environment. */
async function opened() {
  const host = { facts: server.store.meta, catalog: new Map() } as unknown as BackendHost;
  const env = { DSTACK_BACKEND_DIGITALOCEAN_ENDPOINT: cloud.url };
  const opener = await backendKind('digitalocean')?.configure(env, { url: null }).load(host);
  const config = { type: 'digitalocean', creds: { type: 'api_key', api_key: cloud.apiKey } };
  const backend = (await opener?.open(config, 'secret', { isOperators: true }))?.backend;
  if (!backend?.instances) throw new Error('the backend creates no instances');
  return { ...backend, instances: backend.instances };
}

it('reports machines of a cloud that carry the tag of this installation and have no record', async () => {
  const backend = await opened();
  const { offers } = await backend.offers(REQUIREMENTS.met);
  for (const owner of [OUR_SERVER, OTHER_SERVER]) {
    const order = newOrder(offers[0] ?? null, owner);
    await backend.instances.create({ ...order, authorizedKeys: ['ssh-ed25519 AAAAC3Nz main'] });
  }
  const clock = { now: Date.now() * 1000 };
  const sweeper = await orphanSweeper(server, { backend, type: 'digitalocean', clock });
  for (const later of [0, CONFIRM_AFTER]) {
    clock.now += later;
    await sweeper.sweep();
  }
  await sweeper.close();
  const [ours] = cloud.account.vms.all();
  expect(await server.store.sweeps.orphans()).toMatchObject([
    { kind: 'instance', handle: { id: ours?.id }, owner: { project: 'main', fleet: 'pool' } },
  ]);
  // No claim of this installation can be kept in such an account, so that none is ended.
  expect(cloud.vms()).toBe(2);
  const [sweep] = await server.store.sweeps.list();
  expect(sweep?.hindrance).toBe('backend digitalocean cannot keep claims');
});
