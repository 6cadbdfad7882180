/** Objects of answers, with the fields that the published document requires. */
import type { CloudAccount } from '../../account.ts';
import type { Vm, VmState } from '../../vm.ts';
import { type CpuFlavour, cpuTypeName, gpuTypeName, type ListedGpu } from './catalog.ts';

/** A pod that is being deleted is shown as before, until lists lack it. */
const STATUS: Readonly<Record<VmState, string>> = {
  pending: 'PROVISIONING',
  running: 'RUNNING',
  failed: 'EXITED',
  interrupted: 'EXITED',
  ending: 'RUNNING',
};

const ACTIONS: Readonly<Record<VmState, readonly string[]>> = {
  pending: ['stop', 'terminate'],
  running: ['stop', 'restart', 'terminate'],
  failed: ['start', 'terminate'],
  interrupted: ['start', 'terminate'],
  ending: ['stop', 'restart', 'terminate'],
};

export function podForm(vm: Vm) {
  const { container, type, state } = vm;
  const isOver = STATUS[state] === 'EXITED';
  const time = (at: number | null) => (at === null ? null : new Date(at / 1000).toISOString());
  const network = (container?.volumes ?? []).map(({ id, path }) => ({ volumeId: id, path }));
  return {
    ...{ id: vm.id, name: vm.name, status: STATUS[state], actions: ACTIONS[state] },
    ...{ image: container?.image ?? '', args: '', disk: diskOf(vm) },
    ports: requestedPorts(vm),
    ...{ env: container?.environment ?? {}, registry: registryOf(vm) },
    mounts: network.length > 0 ? { network } : {},
    ...(type.gpu
      ? {
          gpu: {
            ...{ id: type.gpu.name, count: type.gpu.count },
            ...{ vcpuCount: type.vcpus, memory: type.memoryGib },
          },
        }
      : { cpu: { id: type.name.split('-')[0], vcpuCount: type.vcpus, memory: type.memoryGib } }),
    // The scheduler assigns it.
    dataCenterId: state === 'pending' ? null : vm.region,
    ...{ cloud: 'SECURE', cudaVersion: type.gpu ? '12.8' : null },
    ...{ ssh: { proxy: null, direct: null }, template: null, locked: false },
    cost: isOver ? 0 : type.pricePerHour,
    runtime: state === 'running' ? { uptime: 1, ports: portsOf(vm) } : null,
    ...{ createdAt: time(vm.createdAt), startedAt: state === 'running' ? time(vm.readyAt) : null },
    globalNetworking: { enabled: false },
  };
}

const tagOf = ({ tags }: Vm, name: string): string | null =>
  tags.find(({ key }) => key === name)?.value ?? null;

const diskOf = (vm: Vm): number => Number(tagOf(vm, 'disk') ?? 50);
const registryOf = (vm: Vm): string | null => tagOf(vm, 'registry');

const requestedPorts = (vm: Vm): readonly string[] => tagOf(vm, 'ports')?.split(' ') ?? [];

const FIRST_PORT = 20_000;
/** For documentation (RFC 5737): nothing leads into a pod here. */
const PUBLIC_ADDRESS = '192.0.2.1';

function portsOf(vm: Vm) {
  return requestedPorts(vm).map((text, index) => {
    const [port, type] = text.split('/');
    return { private: Number(port), public: FIRST_PORT + index, type, ip: PUBLIC_ADDRESS };
  });
}

export function gpuForm(one: ListedGpu, account: CloudAccount, count: number | null) {
  const type = count === null ? null : gpuTypeName(one.id, count);
  return {
    ...{
      id: one.id,
      name: one.name,
      pool: null,
      manufacturer: one.manufacturer,
      memory: one.memory,
    },
    ...{ secure: one.maxCount > 0, community: false },
    price: { secure: one.price, community: 0 },
    maxCount: { secure: one.maxCount, community: 0 },
    ...(type === null ? {} : availabilityOf(account, type)),
  };
}

export function cpuForm(one: CpuFlavour, account: CloudAccount, isAvailabilityAsked: boolean) {
  return {
    ...{ id: one.id, name: one.name, group: one.group, ramGbPerVcpu: one.ramGbPerVcpu },
    vcpu: { min: one.min, max: one.max },
    price: { securePerVcpu: one.pricePerVcpu, serverlessPerVcpu: one.pricePerVcpu },
    ...(isAvailabilityAsked ? availabilityOf(account, cpuTypeName(one.id, 2)) : {}),
  };
}

function availabilityOf({ catalog, vms }: CloudAccount, typeName: string) {
  const type = catalog.types.find(({ name }) => name === typeName);
  const open = type ? vms.capacity.regionsWith(type) : [];
  if (open.length === 0) return { availability: 'NONE' };
  const dataCenters = catalog.regions
    .filter(({ name }) => type?.regions.includes(name))
    .map(({ name: id, description: name }) => ({
      ...{ id, name, availability: open.includes(id) ? 'HIGH' : 'NONE' },
    }));
  return { availability: 'HIGH', dataCenters };
}
