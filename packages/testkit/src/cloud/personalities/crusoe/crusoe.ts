/**
 * Crusoe's API (`v1alpha5`), by its document of 2026-07: types, capacities, quotas, virtual machines with operations, SSH
 * keys of the user. An order of what is sold out is accepted, and its operation fails, as dstack 0.22.5 has met it. Not
 * there: disks, networks and their partitions, custom images, projects, reservations.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { CloudAccount } from '../../account.ts';
import type { VmType } from '../../capacity.ts';
import { fieldsOf, optionalText, textField, wrong } from '../../fields.ts';
import type { SshKey } from '../../keys.ts';
import type { CloudCall, CloudRoute, Personality } from '../../personality.ts';
import { Refusal } from '../../refusal.ts';
import type { CloudAnswer } from '../../request.ts';
import type { Vm, VmState } from '../../vm.ts';
import { CRUSOE_CATALOG } from './catalog.ts';
import { type Creation, creationsOf, operationForm, reported, timeOf } from './creations.ts';
import { refusedByCrusoe } from './errors.ts';
import { isSigned } from './signed.ts';

const PROJECT = '6e28cad3-98e6-47a9-a9fc-1cd83a7f25c1';
const OF_PROJECT = '/v1alpha5/projects/{project}';
const VMS = `${OF_PROJECT}/compute/vms/instances`;
const KEYS = '/v1alpha5/users/ssh-keys';
const MOST_VMS = 100;
const PER_PAGE = 50;

const routes: readonly CloudRoute[] = [
  { method: 'GET', path: '/v1alpha5/capacities', answer: capacities },
  {
    ...{ method: 'GET', path: '/v1alpha5/locations' },
    answer: ({ account }) => listed(account.catalog.regions.map(({ name }) => name)),
  },
  { method: 'GET', path: `${OF_PROJECT}/quotas`, answer: inProject(quotas) },
  {
    ...{ method: 'GET', path: `${OF_PROJECT}/compute/vms/types` },
    answer: inProject(({ account }) => listed(account.catalog.types.map(typeForm))),
  },
  { method: 'GET', path: VMS, answer: inProject(vms) },
  { method: 'POST', path: VMS, answer: inProject(create) },
  { method: 'GET', path: `${VMS}/operations`, answer: inProject(operations) },
  { method: 'GET', path: `${VMS}/operations/{operation}`, answer: inProject(operation) },
  {
    ...{ method: 'GET', path: `${VMS}/{vm}` },
    answer: inProject((call) => answer(vmForm(call.account.vms.require(call.params.vm ?? '')))),
  },
  { method: 'DELETE', path: `${VMS}/{vm}`, answer: inProject(remove) },
  {
    ...{ method: 'GET', path: KEYS },
    answer: ({ account }) => listed(account.keys.all().map(keyForm)),
  },
  { method: 'POST', path: KEYS, answer: addKey },
  {
    ...{ method: 'DELETE', path: KEYS },
    answer: ({ account, query }) => {
      account.keys.delete(query.get('id') ?? '');
      return answer({});
    },
  },
];

export const CRUSOE: Personality = {
  name: 'crusoe',
  catalog: CRUSOE_CATALOG,
  loginUser: 'ubuntu',
  ids: { vm: () => randomUUID(), key: () => randomUUID() },
  newApiKey: () =>
    `${randomBytes(16).toString('base64url')}:${randomBytes(16).toString('base64url')}`,
  authenticates: isSigned,
  limits: [],
  routes,
  refuse: refusedByCrusoe,
};

const answer = (body: object): CloudAnswer => ({ status: 200, body });
const listed = (items: readonly unknown[]): CloudAnswer => answer({ items });

function inProject(carriedOut: CloudRoute['answer']): CloudRoute['answer'] {
  return (call) => {
    if (call.params.project === PROJECT) return carriedOut(call);
    throw new Refusal('permission', `no project ${call.params.project}`);
  };
}

const familyOf = ({ name }: VmType): string => name.split('.')[0] ?? '';
const slicesOf = ({ gpu, vcpus }: VmType): number => gpu?.count ?? vcpus;
const quotaOf = (type: VmType): string => `PROJECT_QUOTA_TYPE_MAXIMUM_VM_SLICES_${familyOf(type)}`;

function capacities({ account }: CloudCall): CloudAnswer {
  const all = account.catalog.types.flatMap((type) =>
    type.regions.map((location) => ({
      ...{ type: type.name, location, num_slices: slicesOf(type), quota_type: quotaOf(type) },
      quantity: Math.min(MOST_VMS, account.vms.capacity.leftOf(type, location)),
    })),
  );
  return listed(all);
}

function quotas({ account }: CloudCall): CloudAnswer {
  const { quota } = account.faults();
  const max = Math.min(MOST_VMS, quota);
  const forms = account.catalog.types.map((type) => {
    const used = account.vms.all().length * slicesOf(type);
    return {
      ...{ type: quotaOf(type), programmatic_name: familyOf(type), description: familyOf(type) },
      category: type.gpu ? 'GPU Instance' : 'CPU Instance',
      ...{ max: max * slicesOf(type), used, available: max * slicesOf(type) - used },
    };
  });
  return answer({ quotas: forms });
}

function typeForm({ name, description, vcpus, memoryGib, diskGib, gpu }: VmType) {
  return {
    ...{ product_name: name, description: name, cpu_cores: vcpus, cpu_type: 'amd' },
    ...{ memory_gb: memoryGib, memory_type: 'RAM', disk_gb: diskGib, disk_type: 'NVMe' },
    ...{ num_gpu: gpu?.count ?? 0, gpu_type: description },
  };
}

/** The token is the number of the first machine, which clients need not know. */
function vms({ account, query }: CloudCall): CloudAnswer {
  const all = account.vms.visible();
  const first = Number(query.get('next_token') ?? 0);
  const next = first + PER_PAGE < all.length ? String(first + PER_PAGE) : '';
  const items = all.slice(first, first + PER_PAGE).map(vmForm);
  return answer({ items, next_page_token: next, prev_page_token: '' });
}

const STATES: Readonly<Record<VmState, string>> = {
  pending: 'STATE_CREATING',
  running: 'STATE_RUNNING',
  failed: 'STATE_SHUTOFF',
  interrupted: 'STATE_SHUTOFF',
  ending: 'STATE_DELETING',
};

function vmForm({ id, name, type, region: location, state, createdAt, ...vm }: Vm) {
  const at = { created_at: timeOf(createdAt), updated_at: timeOf(createdAt) };
  const addresses = {
    private_ipv4: { address: vm.privateAddress },
    public_ipv4: { address: vm.address ?? '', id: id, type: 'dynamic' },
  };
  const card = {
    ...{ id, name: 'network-interface-1', network: PROJECT, subnet: PROJECT, ips: [addresses] },
    ...{ interface_type: 'ethernet', mac_address: '00:00:5e:00:53:af', external_dns_name: '' },
  };
  return {
    ...{ id, project_id: PROJECT, name, type: type.name, location, state: STATES[state], ...at },
    ...{ disks: [], network_interfaces: [card], host_channel_adapters: [] },
    ...{ maintenance_policy: 'unspecified', billing_type: 'On-demand' },
  };
}

function create({ account, body }: CloudCall): CloudAnswer {
  const fields = fieldsOf(body);
  const type = account.requireType(textField(fields, 'type'));
  const image = optionalText(fields, 'image') ?? account.catalog.images[0] ?? '';
  if (!account.catalog.images.includes(image)) throw wrong('image', 'is not known');
  const line = textField(fields, 'ssh_public_key');
  const order = {
    ...{ type, image, name: textField(fields, 'name', { max: 63 }), tags: [], isPublic: true },
    region: account.requireRegion(textField(fields, 'location')),
    keys: [{ id: '', name: '', publicKey: line }],
    userData: optionalText(fields, 'startup_script'),
  };
  if (order.userData && !order.userData.startsWith('#!')) throw wrong('startup_script', 'is none');
  const started = { operation_id: randomUUID(), startedAt: account.clock.now };
  const begun: Creation = { ...started, ...ordered(account, order) };
  creationsOf(account).push(begun);
  return answer({ operation: operationForm(account, begun) });
}

/** `soldOut`: there is no such machine, and there will be none. */
function ordered({ vms }: CloudAccount, order: Parameters<CloudAccount['vms']['create']>[0]) {
  try {
    return { vm: vms.create(order).id, soldOut: false };
  } catch (error) {
    if (!(error instanceof Refusal) || error.kind !== 'no_capacity') throw error;
    return { vm: randomUUID(), soldOut: true };
  }
}

function operations({ account }: CloudCall): CloudAnswer {
  return listed(reported(account, creationsOf(account)));
}

function operation({ account, params }: CloudCall): CloudAnswer {
  const known = creationsOf(account).filter((one) => one.operation_id === params.operation);
  const [form] = reported(account, known);
  if (form) return answer(form);
  throw new Refusal('permission', `no operation ${params.operation}`);
}

function remove({ account, params }: CloudCall): CloudAnswer {
  const { id } = account.vms.end(params.vm ?? '');
  const at = timeOf(account.clock.now);
  const form = { operation_id: randomUUID(), state: 'IN_PROGRESS', metadata: { id } };
  return answer({ operation: { ...form, started_at: at, completed_at: '' } });
}

function addKey({ account, body }: CloudCall): CloudAnswer {
  const fields = fieldsOf(body);
  return answer(
    keyForm(account.keys.add(textField(fields, 'name'), textField(fields, 'public_key'))),
  );
}

function keyForm({ id, name, publicKey }: SshKey) {
  const sha256 = createHash('sha256').update(publicKey).digest('base64');
  const created_at = '2026-01-01T00:00:00Z';
  return { id, name, public_key: publicKey, created_at, fingerprints: { md5: '', sha256 } };
}
