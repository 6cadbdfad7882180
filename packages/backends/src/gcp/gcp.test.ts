import { Requirements } from '@dstack/contract/wire';
import {
  type Cloud,
  gcpFactsOf,
  type ManualClock,
  manualClock,
  startCloud,
} from '@dstack/testkit/cloud';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NoAnswerError, NoCapacityError, QuotaError, SkipOfferError } from '../base/errors.ts';
import type { InstanceOrder } from '../base/instance-port.ts';
import type { Backend } from '../base/port.ts';
import { newOrder } from '../base/testing/orders.ts';
import { passingPace } from '../base/testing/passing-pace.ts';
import { type GcpAt, gcpAt, REGION } from './testing.ts';

let cloud: Cloud;
let clock: ManualClock;
let backend: Backend;
const at = (more: Partial<GcpAt> = {}) => gcpAt({ cloud, pace: passingPace(clock), ...more });
beforeEach(async () => {
  clock = manualClock();
  cloud = await startCloud({ personality: 'gcp', clock, faults: { boot_seconds: [1, 1] } });
  backend = at();
});
afterEach(() => cloud.close());

const wanting = (resources: object, more: object = {}) =>
  Requirements.parse({ resources: { disk: '..200GB', ...resources }, ...more });
const CPU = wanting({ cpu: '2', memory: '2GB..' }, { spot: false });
const SPOT = wanting({ cpu: '2', memory: '2GB..' }, { spot: true });

async function order(requirements = CPU, of = backend): Promise<InstanceOrder> {
  const { offers } = await of.offers(requirements);
  const offer = offers.find((one) => one.region === REGION) ?? null;
  return { ...newOrder(offer), authorizedKeys: ['ssh-ed25519 AAAAC3Nz main'] };
}

const inserts = () =>
  cloud.log.filter(({ method, path }) => method === 'POST' && /\/instances\?/.test(path));
/** The body of the first insertion. */
const body = () =>
  inserts()[0]?.body as unknown as {
    readonly labels: object;
    readonly networkInterfaces: readonly { readonly subnetwork: string }[];
    readonly metadata: {
      readonly items: readonly { readonly key: string; readonly value: string }[];
    };
    readonly disks: readonly { readonly initializeParams: { readonly labels: object } }[];
  };
const zonesAsked = () => inserts().map(({ path }) => /zones\/([^/]*)/.exec(path)?.[1]);

async function made(requirements = CPU, of = backend) {
  const given = await order(requirements, of);
  const created = await of.instances?.create(given);
  if (!created) throw new Error('it was not created');
  return { ...created, order: given };
}

const observed = async (handle: { id: string; data: string | null }, of = backend) =>
  await of.instances?.observe(handle, { facts: null });

describe('a machine of GCP', () => {
  it('is reached at its public address, or at its private one if the order had none else', async () => {
    const { handle } = await made();
    clock.advance(60);
    const [vm] = cloud.account.vms.all();
    expect(await observed(handle)).toMatchObject({
      ...{ state: 'ready', access: { kind: 'ssh', hostname: vm?.address, user: 'ubuntu' } },
      machine: { provisioningData: { price: 0.067, availability_zone: 'us-central1-a' } },
    });
    const hidden = at({ network: { isPublic: false } });
    const second = await made(CPU, hidden);
    clock.advance(60);
    const address = cloud.account.vms.all()[1]?.privateAddress;
    expect(await observed(second.handle, hidden)).toMatchObject({ access: { hostname: address } });
    // The order decides, not the present configuration.
    expect(await observed(second.handle)).toMatchObject({ access: { hostname: address } });
  });

  it('is made in the next zone where one has none left, which is not asked again for a minute', async () => {
    cloud.sellOut('e2-standard-2', 'us-central1-a');
    const first = await made();
    expect(first.handle.id).toMatch(/^us-central1-b\/dstack-[0-9a-f]{20}$/);
    await made();
    expect(zonesAsked()).toEqual(['us-central1-a', 'us-central1-b', 'us-central1-b']);
  });

  it('that no zone has is refused in the words of Google, and shown as not available', async () => {
    const given = await order();
    cloud.faults.set({ no_capacity: 1 });
    const error = await backend.instances?.create(given).catch((one) => one);
    expect(error).toBeInstanceOf(NoCapacityError);
    expect(error.message).toContain('ZONE_RESOURCE_POOL_EXHAUSTED');
    expect(cloud.vms()).toBe(0);
    const { offers } = await backend.offers(CPU);
    expect(offers[0]?.availability).toBe('not_available');
  });

  it('over the quota is refused with it, without asking the other zones', async () => {
    const given = await order();
    cloud.faults.set({ quota: 0 });
    const error = await backend.instances?.create(given).catch((one) => one);
    expect(error).toBeInstanceOf(QuotaError);
    expect(zonesAsked()).toHaveLength(1);
    expect((await backend.offers(CPU)).notes).toContainEqual(expect.stringMatching(/^no quota: /));
  });

  it('whose order had no answer is found, or ordered again by the same request', async () => {
    // Two lists, the rule of the firewall and the subnetworks come first.
    const lost = await order();
    cloud.calls.fail(4, 'lost');
    await backend.instances?.create(lost);
    expect(inserts().map(({ status }) => status)).toEqual([null]);
    const given = await order();
    cloud.calls.fail(3, 'never arrived');
    await expect(backend.instances?.create(given)).rejects.toThrow(NoAnswerError);
    await backend.instances?.create({ ...given, mayExist: true });
    const [, first, second] = inserts();
    expect(first?.path).toContain('requestId=');
    expect(second?.path).toBe(first?.path);
    expect(cloud.vms()).toBe(2);
  });

  it('is asked for by another request once one has failed, as Google repeats its answers', async () => {
    const given = { ...(await order()), offer: null };
    const { offers } = await backend.offers(CPU);
    const offer = offers[0] ? { ...offers[0], availability_zones: ['us-central1-a'] } : null;
    cloud.faults.set({ no_capacity: 1 });
    await expect(backend.instances?.create({ ...given, offer })).rejects.toThrow(NoCapacityError);
    cloud.faults.set({});
    clock.advance(120);
    await backend.instances?.create({ ...given, offer });
    expect(cloud.vms()).toBe(1);
  });

  it('as spot is deleted when it is taken back, and reported as that', async () => {
    const { handle } = await made(SPOT);
    expect(inserts()[0]?.body).toMatchObject({
      scheduling: { provisioningModel: 'SPOT', instanceTerminationAction: 'DELETE' },
    });
    clock.advance(60);
    await cloud.interrupt(cloud.account.vms.all()[0]?.id ?? '');
    clock.advance(10);
    expect(await observed(handle)).toMatchObject({ state: 'interrupted', reason: 'spot' });
    await backend.instances?.release(handle);
    clock.advance(10);
    expect(await backend.instances?.release(handle)).toBe('released');
  });

  it('that was powered off is reported as failed, and still deleted', async () => {
    cloud.faults.set({ fails_to_boot: 1, boot_seconds: [1, 1] });
    const { handle } = await made();
    clock.advance(60);
    expect(await observed(handle)).toMatchObject({ state: 'interrupted', reason: 'failed' });
    await backend.instances?.release(handle);
    clock.advance(10);
    expect(cloud.vms()).toBe(0);
  });

  it('keeps the host key that it was given, and lets the keys of the order in', async () => {
    await made();
    const [vm] = cloud.account.vms.all();
    expect(vm?.userData).toContain('set_host_keys = false');
    expect(vm?.keys[0]?.publicKey).toBe('ssh-ed25519 AAAAC3Nz main');
    expect(body().metadata.items).toContainEqual({ key: 'enable-oslogin', value: 'FALSE' });
  });

  it('stands in a subnetwork for machines, not in one of load balancers', async () => {
    await made();
    const [first] = body().networkInterfaces;
    expect(first?.subnetwork).toMatch(/\/subnetworks\/default$/);
  });

  it('and its disk have labels of the owner, and those of the configuration', async () => {
    const labelled = at({ settings: { labels: { team: 'ml' } } });
    const { order: given } = await made(CPU, labelled);
    const labels = { 'dstack-project': 'main', 'dstack-server': given.owner.server, team: 'ml' };
    expect(body().labels).toMatchObject(labels);
    expect(body().disks[0]?.initializeParams.labels).toEqual(body().labels);
  });
});

describe('a zone that does not answer', () => {
  it('is not empty: its machines are neither missing nor ordered again', async () => {
    const { handle, order: given } = await made();
    clock.advance(60);
    const again = at();
    gcpFactsOf(cloud.account).unreachable.add('us-central1-a');
    await expect(observed(handle, again)).rejects.toThrow('us-central1-a does not answer');
    const repeated = again.instances?.create({ ...given, mayExist: true });
    await expect(repeated).rejects.toThrow(NoAnswerError);
    await expect(again.instances?.list(given.owner)).rejects.toThrow(NoAnswerError);
    gcpFactsOf(cloud.account).unreachable.clear();
    const found = await again.instances?.create({ ...given, mayExist: true });
    expect(found?.handle).toEqual(handle);
  });

  it('holds up no new order: the next offer is tried, which may be in another region', async () => {
    const given = await order();
    gcpFactsOf(cloud.account).unreachable.add('us-central1-b');
    const skipped = backend.instances?.create(given);
    await expect(skipped).rejects.toThrow(SkipOfferError);
    await expect(skipped).rejects.toThrow('us-central1-b does not answer');
    expect(inserts()).toEqual([]);
  });

  it('delays no other region', async () => {
    const wide = at({ settings: { regions: [REGION, 'us-west4'] } });
    const { offers } = await wide.offers(CPU);
    const offer = offers.find(({ region }) => region === 'us-west4') ?? null;
    const given = { ...newOrder(offer), authorizedKeys: ['ssh-ed25519 AAAAC3Nz main'] };
    gcpFactsOf(cloud.account).unreachable.add('us-central1-a');
    const created = await wide.instances?.create(given);
    clock.advance(60);
    expect(created && (await observed(created.handle, wide))).toMatchObject({ state: 'ready' });
  });
});

describe('offers of GCP', () => {
  const names = async (requirements: Requirements, of = backend) =>
    (await of.offers(requirements)).offers.map(({ instance }) => instance.name);

  it('are one for each region, with its zones', async () => {
    const { offers } = await backend.offers(CPU);
    expect(offers.map(({ instance, region }) => `${instance.name} ${region}`)).toEqual([
      'e2-standard-2 us-central1',
    ]);
    expect(offers[0]?.availability_zones).toEqual(['us-central1-a', 'us-central1-b']);
    expect(await names(wanting({ cpu: '1', memory: '1GB..' }))).toEqual([]);
  });

  it('with different GPUs at the same type have their own prices and accelerators', async () => {
    const v100 = wanting({ gpu: 'V100:1' }, { spot: false });
    expect((await backend.offers(v100)).offers.map(({ price }) => price)).toEqual([2.86]);
    const t4 = wanting({ gpu: 'T4:1' }, { spot: false });
    const { handle } = await made(t4);
    expect(inserts()[0]?.body).toMatchObject({
      guestAccelerators: [
        { acceleratorType: expect.stringMatching(/nvidia-tesla-t4$/), acceleratorCount: 1 },
      ],
      scheduling: { onHostMaintenance: 'TERMINATE' },
    });
    clock.advance(60);
    const seen = await observed(handle);
    expect(seen).toMatchObject({ machine: { provisioningData: { price: 0.73 } } });
    expect(JSON.stringify(seen)).toContain('"name":"T4"');
  });

  it('over the quota of their GPUs are shown without quota, with its name and limit', async () => {
    const { offers, notes } = await backend.offers(wanting({ gpu: 'L4:16' }, { spot: false }));
    expect(offers.map(({ availability }) => availability)).toEqual(['no_quota']);
    expect(notes).toContain('no quota: 16 of NVIDIA_L4_GPUS in us-central1, limit 8, in use 0');
  });

  it('of TPUs are shown only if the configuration asks for them, and refused with the reason', async () => {
    const tpu = wanting({ gpu: 'tpu' }, { spot: false });
    expect(await names(tpu)).toEqual([]);
    const shown = at({ settings: { showsTpus: true } });
    const { offers, notes } = await shown.offers(tpu);
    expect(offers.map(({ availability }) => availability)).toEqual(['not_available']);
    expect(notes).toContainEqual(expect.stringMatching(/^TPUs of GCP are shown/));
    await expect(shown.instances?.create(newOrder(offers[0] ?? null))).rejects.toThrow(
      SkipOfferError,
    );
    expect(inserts()).toEqual([]);
  });

  const reserve = (more: object = {}, zone = 'us-central1-b') =>
    gcpFactsOf(cloud.account).reservations.push({
      ...{ name: 'mine', zone: `https://compute/zones/${zone}` },
      ...{ status: 'READY', specificReservationRequired: true },
      specificReservation: {
        ...{ count: '2', assuredCount: '2', inUseCount: '0' },
        instanceProperties: { machineType: 'e2-standard-2', localSsds: [{ interface: 'NVME' }] },
      },
      ...more,
    } as { name: string; zone: string });
  const RESERVED = wanting({ cpu: '2', memory: '2GB..' }, { reservation: 'mine' });

  it('of a reservation are its type in its zones, and machines name it', async () => {
    reserve();
    const { offers } = await backend.offers(RESERVED);
    expect(
      offers.map(({ availability, availability_zones: zones }) => [availability, zones]),
    ).toEqual([['available', ['us-central1-b']]]);
    const given = {
      ...newOrder(offers[0] ?? null),
      reservation: 'mine',
      authorizedKeys: ['ssh-ed25519 A'],
    };
    await backend.instances?.create(given);
    expect(inserts()[0]?.body).toMatchObject({
      reservationAffinity: {
        consumeReservationType: 'SPECIFIC_RESERVATION',
        values: ['mine'],
      },
      disks: [{ boot: true }, { type: 'SCRATCH', interface: 'NVME' }],
    });
  });

  it.each([
    ['is not there', () => {}, 'no reservation mine is ready in the project'],
    [
      'any machine uses',
      () => reserve({ specificReservationRequired: false }),
      'no reservation mine',
    ],
    [
      'is used up',
      () =>
        reserve({
          specificReservation: {
            count: '1',
            inUseCount: '1',
            instanceProperties: { machineType: 'e2-standard-2' },
          },
        }),
      'has no machine left',
    ],
  ])('of a reservation that %s are none, and the plan has the reason', async (_, prepare, text) => {
    prepare();
    const { offers, notes } = await backend.offers(RESERVED);
    expect(offers.filter(({ availability }) => availability === 'available')).toEqual([]);
    expect(notes[0]).toContain(text);
  });
});

describe('the check', () => {
  const problems = async (of = backend) =>
    (await of.check()).filter(({ ok }) => !ok).map(({ name, problem }) => `${name}: ${problem}`);

  it('names each permission that is missing, and creates nothing', async () => {
    expect(await problems()).toEqual([]);
    gcpFactsOf(cloud.account).lacking.add('compute.instances.delete');
    expect(await problems()).toEqual([
      'gcp: compute.instances.delete: compute.instances.delete is missing in project demo-project: add it to the role of docs/backends.md, and give that to the account of the credentials',
    ]);
    gcpFactsOf(cloud.account).lacking.clear();
    gcpFactsOf(cloud.account).lacking.add('compute.addresses.create');
    expect(await problems()).toEqual([]);
    expect((await backend.check()).flatMap(({ problem }) => problem ?? [])).toEqual([
      'compute.addresses.create, which only gateways need, is missing in project demo-project: add it to the role of docs/backends.md, and give that to the account of the credentials',
    ]);
    expect(
      cloud.log.filter(({ method, path }) => method !== 'GET' && path.startsWith('/compute')),
    ).toEqual([]);
  });

  it('names regions without a network, and without a way to the internet', async () => {
    expect(await problems(at({ network: { vpc: 'other' } }))).toEqual([
      'gcp: a network for machines in us-central1: GCP: the credentials can use no subnetwork of VPC other of project demo-project in region us-central1',
    ]);
    const hidden = at({ network: { isPublic: false } });
    expect(await problems(hidden)).toEqual([expect.stringContaining('no router with Cloud NAT')]);
    gcpFactsOf(cloud.account).nats.add(REGION);
    expect(await problems(hidden)).toEqual([]);
  });

  it('ends with a refusal of the key', async () => {
    const other = await startCloud({ personality: 'gcp', clock });
    const wrong = at({ cloud: { ...cloud, apiKey: other.apiKey } });
    expect(await wrong.check()).toMatchObject([{ ok: false, refused: true }]);
    await other.close();
  });
});
