/** Objects of answers, with the fields of the provider's document. */
import { createHash } from 'node:crypto';
import type { CloudAccount } from '../../account.ts';
import type { CloudRegion, VmType } from '../../capacity.ts';
import type { SshKey } from '../../keys.ts';
import type { Operation } from '../../operations.ts';
import type { Vm, VmState } from '../../vm.ts';
import type { CloudVolume } from '../../volumes.ts';

const HOURS_PER_MONTH = 672;

const STATUS: Readonly<Record<VmState, string>> = {
  pending: 'new',
  running: 'active',
  failed: 'off',
  interrupted: 'off',
  ending: 'off',
};

export function dropletForm(vm: Vm, account: CloudAccount) {
  const { type, state } = vm;
  const attached = account.volumes.all().filter(({ attachment }) => attachment?.vm === vm.id);
  return {
    ...{ id: Number(vm.id), name: vm.name, memory: type.memoryGib * 1024 },
    ...{ vcpus: type.vcpus, disk: type.diskGib, disk_info: diskForm(type) },
    ...{ locked: state === 'pending', status: STATUS[state], kernel: null },
    created_at: time(vm.createdAt),
    features: ['droplet_agent', 'private_networking'],
    ...{ backup_ids: [], next_backup_window: null, snapshot_ids: [] },
    image: imageForm(vm.image, account),
    volume_ids: attached.map(({ id }) => id),
    ...{ size: sizeForm(type, account), size_slug: type.name, networks: networksOf(vm) },
    region: regionForm(regionOf(vm.region, account), account),
    tags: vm.tags.map(({ key }) => key),
    vpc_uuid: vpcOf(vm.region),
    ...(type.gpu ? { gpu_info: gpuForm(type.gpu) } : {}),
  };
}

/** A droplet has no addresses until it is active. */
function networksOf(vm: Vm) {
  if (vm.state === 'pending') return { v4: [], v6: [] };
  const netmask = '255.255.240.0';
  const internal = { ip_address: vm.privateAddress, netmask, gateway: '', type: 'private' };
  const publicOne = vm.address && {
    ...{ ip_address: vm.address, netmask, gateway: vm.address, type: 'public' },
  };
  return { v4: publicOne ? [internal, publicOne] : [internal], v6: [] };
}

export function sizeForm(type: VmType, account: CloudAccount) {
  const regions = account.vms.capacity.regionsWith(type);
  return {
    slug: type.name,
    ...{ memory: type.memoryGib * 1024, vcpus: type.vcpus, disk: type.diskGib, transfer: 5 },
    price_monthly: Math.round(type.pricePerHour * HOURS_PER_MONTH * 100) / 100,
    ...{ price_hourly: type.pricePerHour, regions, available: regions.length > 0 },
    ...{ description: type.description, disk_info: diskForm(type) },
    ...(type.gpu ? { gpu_info: gpuForm(type.gpu) } : {}),
  };
}

function diskForm({ diskGib }: VmType) {
  return [{ type: 'local', size: { amount: diskGib, unit: 'gib' } }];
}

function gpuForm({ name, count, memoryGib }: NonNullable<VmType['gpu']>) {
  return { count, model: name, vram: { amount: count * memoryGib, unit: 'gib' } };
}

export function regionForm({ name, description }: CloudRegion, account: CloudAccount) {
  const sizes = account.catalog.types.filter((type) =>
    account.vms.capacity.regionsWith(type).includes(name),
  );
  return {
    ...{ name: description, slug: name, available: true },
    features: ['private_networking', 'metadata', 'install_agent', 'storage'],
    sizes: sizes.map((type) => type.name),
  };
}

export function imageForm(slug: string, { catalog }: CloudAccount) {
  return {
    id: 100_000_000 + catalog.images.indexOf(slug),
    ...{ name: slug, type: 'base', distribution: 'Ubuntu', slug, public: true },
    regions: catalog.regions.map(({ name }) => name),
    ...{ created_at: '2026-01-01T00:00:00Z', min_disk_size: 7, size_gigabytes: 2.5 },
    ...{ description: slug, tags: [], status: 'available' },
  };
}

export function keyForm({ id, name, publicKey }: SshKey) {
  return { id: Number(id), fingerprint: fingerprintOf(publicKey), public_key: publicKey, name };
}

/** MD5 of the key itself, in pairs of digits. */
export function fingerprintOf(publicKey: string): string {
  const [, data = ''] = publicKey.split(' ');
  const digest = createHash('md5').update(Buffer.from(data, 'base64')).digest('hex');
  return digest.replaceAll(/(..)(?=.)/g, '$1:');
}

export function volumeForm(volume: CloudVolume, account: CloudAccount) {
  const { id, name, sizeGib, createdAt, attachment, region, tags } = volume;
  return {
    ...{ id, name, description: '', size_gigabytes: sizeGib, created_at: time(createdAt) },
    droplet_ids: attachment?.state === 'attached' ? [Number(attachment.vm)] : [],
    region: regionForm(regionOf(region, account), account),
    ...{ filesystem_type: '', filesystem_label: '', tags: tags.map(({ key }) => key) },
  };
}

const ACTION_STATUS = { running: 'in-progress', done: 'completed', failed: 'errored' } as const;

/** Actions on volumes name no resource: their ids are not numbers. */
export function actionForm(operation: Operation, account: CloudAccount) {
  const { id, kind, state, startedAt, endsAt, target, region } = operation;
  const number = Number(target);
  return {
    ...{ id, type: kind, status: ACTION_STATUS[state], started_at: time(startedAt) },
    completed_at: state === 'running' || endsAt === null ? null : time(endsAt),
    resource_id: Number.isNaN(number) ? null : number,
    resource_type: Number.isNaN(number) ? 'volume' : 'droplet',
    region: regionForm(regionOf(region, account), account),
    region_slug: region,
  };
}

function regionOf(name: string, { catalog }: CloudAccount): CloudRegion {
  return catalog.regions.find((one) => one.name === name) ?? { name, description: name };
}

/** The default network of a region. */
function vpcOf(region: string): string {
  const hex = createHash('sha256').update(region).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** ISO 8601 without fractions of a second. */
const time = (us: number) => new Date(us / 1000).toISOString().replace(/\.\d+/, '');
