import type { Requirements } from '@dstack/contract/wire';
import { describe, expect, it } from 'vitest';
import type { VolumePort } from '../base/volume-port.ts';
import { localBackend, localElsewhere } from './local.ts';

const requirements = {} as Requirements;
const host = { cpus: 4, memoryMib: 8192, arch: 'x86' as const, gpus: [] };
const order = {
  key: 'instance.create:i:0',
  instanceId: 'i',
  owner: { server: 's', project: 'main', fleet: 'default', instance: 'default-0' },
  authorizedKeys: [],
  tags: {},
  reservation: null,
  placementGroup: null,
  volumes: [],
  group: null,
};

const freedoms = { trusted: false, mounts: true, users: false, loopback: false };

function backend(executor: 'docker' | 'process', matches = true) {
  const place = {
    serverHost: async () => host,
    hostId: 'server-host',
    hostname: '127.0.0.1',
    slots: 4,
  };
  return localBackend({ executor, freedoms, ...place, matches: () => matches, volumes: null });
}

describe('the server’s machine as capacity', () => {
  it('is one free offer: the whole machine, its disk unknown', async () => {
    const { offers } = await backend('docker').offers(requirements);
    expect(offers).toHaveLength(1);
    expect(offers[0]).toMatchObject({
      backend: 'local',
      region: 'local',
      price: 0,
      availability: 'available',
      instance: { name: 'local', resources: { cpus: 4, memory_mib: 8192, disk: { size_mib: 0 } } },
    });
  });

  it('is offered with each number of its GPUs, the most first', async () => {
    const gpu = { vendor: 'nvidia' as const, name: 'H100', memory_mib: 81_920 };
    const place = { hostId: 'server-host', hostname: '127.0.0.1', slots: 4, matches: () => true };
    const withGpus = { ...host, gpus: [gpu, gpu] };
    const local = localBackend({
      executor: 'docker',
      freedoms,
      ...place,
      volumes: null,
      serverHost: async () => withGpus,
    });
    const { offers } = await local.offers(requirements);
    expect(offers.map((offer) => offer.instance.resources.gpus.length)).toEqual([2, 1, 0]);
    expect(offers.map((offer) => offer.backend_data)).toEqual(
      Array(3).fill({
        ...{ machine_gpus: 2, host: 'server-host', address: '127.0.0.1', slots: 4 },
        ...freedoms,
      }),
    );
  });

  it('costs the part of its GPUs, or one slot of a machine without any', async () => {
    const gpu = { vendor: 'nvidia' as const, name: 'H100', memory_mib: 81_920 };
    const prices = async (gpus: (typeof gpu)[]) => {
      const place = { hostId: 'server-host', hostname: '127.0.0.1', matches: () => true };
      const local = localBackend({
        ...{ executor: 'docker', freedoms, ...place, volumes: null },
        serverHost: async () => ({ ...host, gpus }),
        ...{ price: 6, slots: 4 },
      });
      return (await local.offers(requirements)).offers.map(({ price }) => price);
    };
    expect(await prices([gpu, gpu])).toEqual([6, 3, 0]);
    expect(await prices([])).toEqual([1.5]);
  });

  it('has another name if jobs run there without containers', async () => {
    const { offers } = await backend('process').offers(requirements);
    expect(offers[0]?.instance.name).toBe('local-process');
  });

  it('offers nothing to requirements that the machine does not meet', async () => {
    expect((await backend('docker', false).offers(requirements)).offers).toEqual([]);
  });

  it('creates and ends instances on the machines of other servers where the own one is no capacity', async () => {
    const { offers } = await backend('docker').offers(requirements);
    const elsewhere = localElsewhere({} as VolumePort);
    expect((await elsewhere.offers(requirements)).offers).toEqual([]);
    const created = await elsewhere.instances?.create({ ...order, offer: offers[0] ?? null });
    expect(created).toMatchObject({
      hostId: 'server-host',
      provisioningData: { hostname: '127.0.0.1' },
    });
    const handle = created?.handle ?? { id: '', data: null };
    expect(await elsewhere.instances?.release(handle, { wasAccepted: false })).toBe('released');
  });

  it('creates an instance on the machine of another server if its offer is from there', async () => {
    const { offers } = await backend('docker').offers(requirements);
    const [offer] = offers;
    if (!offer) throw new Error('no offer');
    const backend_data = { ...offer.backend_data, host: 'local-2', address: '10.0.0.2' };
    const order2 = { ...order, offer: { ...offer, backend_data } };
    const created = await backend('process').instances?.create(order2);
    expect(created).toMatchObject({
      hostId: 'local-2',
      provisioningData: { hostname: '10.0.0.2' },
    });
  });

  it('gives every instance the same host, with direct access to the job’s own port', async () => {
    const local = backend('docker');
    const { offers } = await local.offers(requirements);
    const created = await local.instances?.create({ ...order, offer: offers[0] ?? null });
    expect(created?.hostId).toBe('server-host');
    expect(created?.provisioningData).toMatchObject({
      hostname: '127.0.0.1',
      dockerized: false,
      ssh_port: null,
      ssh_proxy: null,
    });
  });
});
