/** Machines of gateways on GCP and their static addresses, at a simulated account. */
import {
  type Cloud,
  gcpFactsOf,
  type ManualClock,
  manualClock,
  startCloud,
} from '@dstack/testkit/cloud';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  NoCapacityError,
  QuotaError,
  RefusedOrderError,
  SkipOfferError,
} from '../../base/errors.ts';
import type { GatewayOrder, GatewayPort } from '../../base/gateway-port.ts';
import { OUR_SERVER } from '../../base/testing/backend-world.ts';
import { passingPace } from '../../base/testing/passing-pace.ts';
import { computeAt, gcpAt, REGION } from '../testing.ts';
import { StaticAddresses } from './static-addresses.ts';

const BOOT_S = 60;

let cloud: Cloud;
let clock: ManualClock;
let gateways: GatewayPort;
beforeEach(async () => {
  clock = manualClock();
  const faults = { boot_seconds: [BOOT_S, BOOT_S] as const, delete_seconds: 20 };
  cloud = await startCloud({ personality: 'gcp', clock, limits: false, faults });
  gateways = newServer();
});
afterEach(() => cloud.close());

/** Knows nothing of what another one has done. */
function newServer(): GatewayPort {
  const backend = gcpAt({
    cloud,
    pace: passingPace(clock),
    settings: { labels: { team: 'infra' } },
  });
  if (!backend.gateways) throw new Error('it makes no gateways');
  return backend.gateways;
}

let orders = 0;
function order(change: Partial<GatewayOrder> = {}): GatewayOrder {
  const replicaId = `replica-${orders++}`;
  return {
    ...{ key: `gateway.create:${replicaId}:0`, replicaId, replicaNum: 0, region: REGION },
    owner: { server: OUR_SERVER, project: 'main', fleet: '', instance: 'edge-0' },
    ...{ gateway: { id: 'g', name: 'edge' }, balancer: null, domain: null, settings: null },
    ...{ instanceType: null, isPublic: true, authorizedKeys: ['ssh-ed25519 AAAA main'] },
    ...{ tags: { owner: 'ml' }, ...change },
  };
}

async function started(given: GatewayOrder, port = gateways) {
  const handle = await port.create(given);
  clock.advance(BOOT_S);
  const seen = await port.observe(handle);
  if (seen.state !== 'ready') throw new Error(JSON.stringify(seen));
  return { handle, access: seen.access, address: seen.machine?.provisioningData.hostname ?? '' };
}

type Handle = Awaited<ReturnType<GatewayPort['create']>>;

async function ended(handle: Handle, ends: 'machine' | 'replica' | 'gateway' = 'gateway') {
  for (let tries = 0; tries < 10; tries++) {
    if ((await gateways.release(handle, { ends })) === 'released') return;
    clock.advance(BOOT_S);
  }
  throw new Error('it does not end');
}

const facts = () => gcpFactsOf(cloud.account);
const addresses = () => [...facts().addresses.values()];
const posted = (path: RegExp) =>
  cloud.log.filter((call) => call.method === 'POST' && path.test(call.path));

it('has a static address with our tags, and lets clients and the server in', async () => {
  const { handle, address, access } = await started(order());
  expect(addresses()).toMatchObject([{ address, region: REGION }]);
  expect(JSON.parse(addresses()[0]?.description ?? '')).toEqual({
    ...{ 'dstack-server': OUR_SERVER, 'dstack-project': 'main', 'dstack-fleet': '' },
    ...{ 'dstack-instance': 'edge-0', 'dstack-key': 'gateway:g:0' },
  });
  expect(access).toMatchObject({ kind: 'ssh', hostname: address, user: 'ubuntu' });
  const [insert] = posted(/\/instances\?/);
  expect(insert?.body).toMatchObject({
    ...{ tags: { items: ['dstack-gateway-instance'] }, serviceAccounts: [] },
    networkInterfaces: [{ accessConfigs: [{ type: 'ONE_TO_ONE_NAT', natIP: address }] }],
    labels: { team: 'infra', owner: 'ml' },
  });
  expect(JSON.stringify(insert?.body)).toContain('e2-medium');
  expect(JSON.stringify(insert?.body)).toContain('nginx-light');
  expect(insert?.body).not.toHaveProperty(['labels', 'dstack-key']);
  expect(posted(/firewalls/).map(({ body }) => body)).toMatchObject([
    { allowed: [{ ports: ['22', '80', '443'] }], targetTags: ['dstack-gateway-instance'] },
  ]);
  expect(gateways.ports?.(handle)).toEqual({ http: 80, https: 443 });
});

it('keeps its address when its machine is replaced, also by another server, and then leaves nothing', async () => {
  const first = await started(order());
  const [vm] = cloud.account.vms.all();
  await cloud.vanish(vm?.id ?? '');
  clock.advance(BOOT_S);
  expect((await gateways.observe(first.handle)).state).not.toBe('ready');
  await ended(first.handle, 'machine');
  const [kept] = await gateways.list({ server: OUR_SERVER });
  expect(kept).toMatchObject({ key: 'gateway:g:0', owner: { instance: 'edge-0' } });
  gateways = newServer();
  const second = await started(order());
  expect(second.address).toBe(first.address);
  expect(await gateways.list({ server: OUR_SERVER })).toHaveLength(1);
  await ended(second.handle);
  expect(await gateways.list({ server: OUR_SERVER })).toEqual([]);
  expect(addresses()).toEqual([]);
  expect(cloud.vms()).toBe(0);
});

it('whose machine before it still has the address gets it once that has ended', async () => {
  const first = await started(order());
  const next = await gateways.create(order());
  clock.advance(BOOT_S);
  expect((await gateways.observe(next)).state).toBe('pending');
  await ended(first.handle, 'machine');
  clock.advance(BOOT_S);
  await gateways.observe(next);
  clock.advance(BOOT_S);
  const seen = await gateways.observe(next);
  const hostname = seen.state === 'ready' && seen.machine?.provisioningData.hostname;
  expect(hostname).toBe(first.address);
  expect(addresses()).toHaveLength(1);
});

it('whose server was killed between address and machine uses that address, and what nothing uses can be ended', async () => {
  const pace = passingPace(clock);
  const compute = computeAt({ cloud, pace });
  const kept = new StaticAddresses({ compute, region: REGION, pace });
  const given = order();
  const place = { gateway: 'g', replica: 0, server: OUR_SERVER };
  const { address, id } = await kept.ensure(place, given);
  const [orphan] = await gateways.list({ server: OUR_SERVER });
  expect(orphan?.handle.id).toBe(id);
  expect((await started(given)).address).toBe(address);
  const unused = await kept.ensure({ ...place, gateway: 'h' }, given);
  const left = (await gateways.list({ server: OUR_SERVER })).find(
    ({ handle }) => handle.id === unused.id,
  );
  if (left) await gateways.release(left.handle, { ends: 'machine' });
  expect(addresses().map((one) => one.address)).toEqual([address]);
});

it('that lacks a machine in all zones gives its address back', async () => {
  for (const zone of ['a', 'b']) cloud.sellOut('e2-medium', `${REGION}-${zone}`);
  await expect(gateways.create(order())).rejects.toThrow(NoCapacityError);
  expect(posted(/\/instances\?/)).toHaveLength(2);
  expect(addresses()).toEqual([]);
});

it('never takes the address of a user that has its name', async () => {
  const pace = passingPace(clock);
  const kept = new StaticAddresses({ compute: computeAt({ cloud, pace }), region: REGION, pace });
  await kept.ensure({ gateway: 'g', replica: 0, server: OUR_SERVER }, order());
  const [path, one] = [...facts().addresses][0] ?? [];
  if (path && one) facts().addresses.set(path, { ...one, description: 'of ann' });
  await expect(gateways.create(order())).rejects.toThrow(/has another owner/);
  expect(cloud.vms()).toBe(0);
});

it('that cannot have an address or a machine leaves neither', async () => {
  facts().mostAddresses = 0;
  const refused = await gateways.create(order()).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(QuotaError);
  expect(String(refused)).toMatch(/no quota: one more static address in us-central1/);
  facts().mostAddresses = 8;
  await expect(gateways.create(order({ region: 'europe-west1' }))).rejects.toThrow(SkipOfferError);
  await expect(gateways.create(order({ balancer: { certificateArn: null } }))).rejects.toThrow(
    RefusedOrderError,
  );
  expect(await gateways.list({ server: OUR_SERVER })).toEqual([]);
  expect(cloud.vms()).toBe(0);
  expect(addresses()).toEqual([]);
});

it('without a public address has none, and another type is reported', async () => {
  const given = order({ isPublic: false });
  const { handle, address } = await started(given);
  expect(address).toMatch(/^10\./);
  expect(addresses()).toEqual([]);
  expect(await gateways.maintain?.(handle, { ...given, instanceType: 'e2-standard-2' })).toEqual({
    ...{ outdated: 'The gateway is on e2-standard-2 now', unreachable: null },
  });
  await ended(handle);
  expect(cloud.vms()).toBe(0);
});
