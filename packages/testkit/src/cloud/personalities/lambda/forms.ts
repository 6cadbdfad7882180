/** Objects of answers, with the fields of the published description. */
import type { CloudAccount } from '../../account.ts';
import type { CloudRegion, VmType } from '../../capacity.ts';
import type { Vm, VmState } from '../../vm.ts';

const STATUS: Readonly<Record<VmState, string>> = {
  pending: 'booting',
  running: 'active',
  failed: 'terminated',
  interrupted: 'preempted',
  ending: 'terminating',
};

export function instanceForm(vm: Vm, account: CloudAccount) {
  const region = account.catalog.regions.find(({ name }) => name === vm.region);
  return {
    id: vm.id,
    ...(vm.name === '' ? {} : { name: vm.name }),
    ...(vm.address === null ? {} : { ip: vm.address, hostname: vm.address }),
    private_ip: vm.privateAddress,
    status: STATUS[vm.state],
    ssh_key_names: vm.keys.map(({ name }) => name),
    file_system_names: [],
    region: region && regionForm(region),
    instance_type: typeForm(vm.type),
    actions: actionsOf(vm),
    tags: vm.tags.map(({ key, value }) => ({ key, value: value ?? '' })),
  };
}

export function typeForm({ name, description, gpu, ...type }: VmType) {
  return {
    name,
    description,
    gpu_description: gpu?.name ?? 'N/A',
    price_cents_per_hour: Math.round(type.pricePerHour * 100),
    specs: {
      vcpus: type.vcpus,
      memory_gib: type.memoryGib,
      storage_gib: type.diskGib,
      gpus: gpu?.count ?? 0,
    },
  };
}

export function regionForm({ name, description }: CloudRegion) {
  return { name, description };
}

function actionsOf({ state }: Vm) {
  const blocked = BLOCKED[state];
  const action = blocked === null ? { available: true } : { available: false, ...blocked };
  return {
    ...{ migrate: action, rebuild: action, restart: action, cold_reboot: action },
    terminate: state === 'ending' ? action : { available: true },
  };
}

const LAUNCHING = { reason_code: 'vm-has-not-launched', reason_description: 'VM has not launched' };
const ENDING = { reason_code: 'vm-is-terminating', reason_description: 'VM is terminating' };

const BLOCKED: Readonly<Record<VmState, typeof LAUNCHING | null>> = {
  pending: LAUNCHING,
  running: null,
  failed: null,
  interrupted: ENDING,
  ending: ENDING,
};
