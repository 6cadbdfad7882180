/**
 * Vultr's API (v2), by its published description: plans, instances and bare metal, VPCs, SSH keys. Not there: block
 * storage, snapshots, firewalls, Kubernetes, sub-users.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import type { CloudAccount } from '../../account.ts';
import type { VmType } from '../../capacity.ts';
import { fieldsOf, optionalText, textField, textList, wrong } from '../../fields.ts';
import type { SshKey } from '../../keys.ts';
import type { CloudCall, CloudRoute, Personality } from '../../personality.ts';
import { Refusal } from '../../refusal.ts';
import type { CloudAnswer } from '../../request.ts';
import type { Vm, VmState } from '../../vm.ts';
import { VULTR_CATALOG } from './catalog.ts';
import { refusedByVultr } from './errors.ts';

const MIB_PER_GIB = 1024;
const HOURS_PER_MONTH = 672;

interface Kind {
  readonly path: string;
  /** Keys of answers. */
  readonly one: string;
  readonly all: string;
  readonly isOf: (type: VmType) => boolean;
}

const isMetal = ({ name }: VmType): boolean => name.startsWith('vbm');
const KINDS: readonly Kind[] = [
  { path: '/v2/instances', one: 'instance', all: 'instances', isOf: (type) => !isMetal(type) },
  { path: '/v2/bare-metals', one: 'bare_metal', all: 'bare_metals', isOf: isMetal },
];

const serverRoutes = (kind: Kind): readonly CloudRoute[] => [
  {
    ...{ method: 'GET', path: kind.path },
    answer: (call) => paged(call, kind.all, call.account.vms.visible().filter(inKind(kind))),
  },
  { method: 'POST', path: kind.path, answer: (call) => create(call, kind) },
  {
    ...{ method: 'GET', path: `${kind.path}/{id}` },
    answer: (call) => ({ status: 200, body: { [kind.one]: serverForm(serverIn(call, kind)) } }),
  },
  {
    ...{ method: 'DELETE', path: `${kind.path}/{id}` },
    answer: (call) => {
      call.account.vms.end(serverIn(call, kind).id);
      return { status: 204, body: null };
    },
  },
];

const inKind =
  ({ isOf }: Kind) =>
  ({ type }: Vm): boolean =>
    isOf(type);

const routes: readonly CloudRoute[] = [
  {
    ...{ method: 'GET', path: '/v2/account' },
    answer: () => ({ status: 200, body: { account: { name: 'Ada', email: 'ada@example.com' } } }),
  },
  { method: 'GET', path: '/v2/plans', answer: (call) => plans(call, 'plans', false) },
  { method: 'GET', path: '/v2/plans-metal', answer: (call) => plans(call, 'plans_metal', true) },
  ...KINDS.flatMap(serverRoutes),
  {
    ...{ method: 'GET', path: '/v2/vpcs' },
    answer: (call) => listed(call, 'vpcs', networksOf(call.account)),
  },
  { method: 'POST', path: '/v2/vpcs', answer: addNetwork },
  {
    ...{ method: 'GET', path: '/v2/ssh-keys' },
    answer: (call) => listed(call, 'ssh_keys', call.account.keys.all().map(keyForm)),
  },
  { method: 'POST', path: '/v2/ssh-keys', answer: addKey },
  {
    ...{ method: 'DELETE', path: '/v2/ssh-keys/{id}' },
    answer: ({ account, params }) => {
      account.keys.delete(params.id ?? '');
      return { status: 204, body: null };
    },
  },
];

export const VULTR: Personality = {
  name: 'vultr',
  catalog: VULTR_CATALOG,
  loginUser: 'root',
  ids: { vm: () => randomUUID(), key: () => randomUUID() },
  newApiKey: () => randomBytes(18).toString('hex').toUpperCase(),
  authenticates: ({ headers, path }, apiKey) =>
    path.startsWith('/v2/plans') || headers.authorization === `Bearer ${apiKey}`,
  limits: [{ calls: 30, seconds: 1, appliesTo: () => true }],
  routes,
  refuse: refusedByVultr,
};

const DEFAULT_PER_PAGE = 100;

/** The cursor is the number of the first item, which clients need not know. */
function listed({ query }: CloudCall, name: string, all: readonly object[]): CloudAnswer {
  const perPage = Number(query.get('per_page') ?? DEFAULT_PER_PAGE);
  const first = Number(query.get('cursor') || 0);
  if (!(perPage >= 1 && perPage <= 500)) throw wrong('per_page', 'must be from 1 to 500');
  const next = first + perPage < all.length ? String(first + perPage) : '';
  const links = { next, prev: first > 0 ? String(Math.max(0, first - perPage)) : '' };
  const body = { [name]: all.slice(first, first + perPage), meta: { total: all.length, links } };
  return { status: 200, body };
}

const paged = (call: CloudCall, name: string, vms: readonly Vm[]): CloudAnswer =>
  listed(call, name, vms.map(serverForm));

function plans(call: CloudCall, name: string, areMetal: boolean): CloudAnswer {
  const { catalog, vms } = call.account;
  const forms = catalog.types
    .filter((type) => isMetal(type) === areMetal)
    .map((type) => planForm(type, vms.capacity.regionsWith(type)));
  return listed(call, name, forms);
}

function planForm(type: VmType, locations: readonly string[]) {
  const { name: id, vcpus, memoryGib, diskGib, pricePerHour, gpu } = type;
  const common = {
    ...{ id, ram: memoryGib * MIB_PER_GIB, disk: diskGib, disk_count: 1, bandwidth: 1024 },
    ...{ monthly_cost: pricePerHour * HOURS_PER_MONTH, hourly_cost: pricePerHour },
    ...{ locations, deploy_ondemand: true },
  };
  if (isMetal(type)) {
    const cpu = { cpu_count: 1, cpu_cores: vcpus / 2, cpu_threads: vcpus, cpu_model: 'E-2286G' };
    return { ...common, ...cpu, type: 'SSD' };
  }
  const ofGpu = gpu && { gpu_type: `NVIDIA_${gpu.name}`, gpu_vram_gb: gpu.count * gpu.memoryGib };
  return { ...common, vcpu_count: vcpus, type: id.split('-')[0], ...ofGpu };
}

const STATUS: Readonly<Record<VmState, string>> = {
  pending: 'pending',
  running: 'active',
  failed: 'failed',
  interrupted: 'suspended',
  ending: 'suspended',
};

function serverForm({ id, name, type, region, state, tags, ...vm }: Vm) {
  const status = {
    status: STATUS[state],
    power_status: state === 'running' ? 'running' : 'stopped',
  };
  return {
    ...{ id, label: name, plan: type.name, region, ...status, tags: tags.map(({ key }) => key) },
    ...(!isMetal(type) && { server_status: state === 'running' ? 'ok' : 'none' }),
    main_ip: vm.address ?? '0.0.0.0',
    internal_ip: state === 'running' ? vm.privateAddress : '',
    ...{ os: 'Ubuntu 22.04 x64', date_created: new Date(vm.createdAt / 1000).toISOString() },
  };
}

function serverIn({ account, params }: CloudCall, { isOf }: Kind): Vm {
  const vm = account.vms.require(params.id ?? '');
  if (isOf(vm.type)) return vm;
  throw new Refusal('not_found', `no machine ${vm.id} here`);
}

function create({ account, body }: CloudCall, kind: Kind): CloudAnswer {
  const fields = fieldsOf(body);
  const type = account.requireType(textField(fields, 'plan'));
  if (!kind.isOf(type)) throw wrong('plan', 'is not one of this kind');
  const sources = [optionalText(fields, 'image_id'), fields.os_id].filter((one) => one != null);
  const [image] = sources.map(String);
  if (sources.length !== 1 || !account.catalog.images.includes(image ?? '')) {
    throw wrong('image_id, os_id', 'must be one known image or system');
  }
  const known = networksOf(account).map(({ id }) => id);
  if (!textList(fields, 'attach_vpc').every((id) => known.includes(id))) {
    throw wrong('attach_vpc', 'must be networks of the account');
  }
  const encoded = optionalText(fields, 'user_data');
  const vm = account.vms.create({
    ...{ type, region: account.requireRegion(textField(fields, 'region')), image: image ?? '' },
    ...{ name: optionalText(fields, 'label') ?? '', keys: [], isPublic: true },
    userData: encoded && Buffer.from(encoded, 'base64').toString(),
    tags: textList(fields, 'tags').map((key) => ({ key, value: null })),
  });
  const server = { ...serverForm(vm), default_password: 'x' };
  return { status: 202, body: { [kind.one]: server } };
}

interface Network {
  readonly id: string;
  readonly region: string;
  readonly description: string;
}

const networks = new WeakMap<CloudAccount, Network[]>();

function networksOf(account: CloudAccount): Network[] {
  const known = networks.get(account) ?? [];
  networks.set(account, known);
  return known;
}

function addNetwork({ account, body }: CloudCall): CloudAnswer {
  const fields = fieldsOf(body);
  const region = account.requireRegion(textField(fields, 'region'));
  const description = optionalText(fields, 'description') ?? '';
  const known = networksOf(account);
  const subnet = { v4_subnet: `10.${known.length + 1}.96.0`, v4_subnet_mask: 20 };
  const network = { id: randomUUID(), region, description, ...subnet };
  known.push(network);
  return { status: 201, body: { vpc: network } };
}

function addKey({ account, body }: CloudCall): CloudAnswer {
  const fields = fieldsOf(body);
  const key = account.keys.add(textField(fields, 'name'), textField(fields, 'ssh_key'));
  return { status: 201, body: { ssh_key: keyForm(key) } };
}

const keyForm = ({ id, name, publicKey }: SshKey) => ({ id, name, ssh_key: publicKey });
