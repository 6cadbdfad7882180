/**
 * Hot Aisle's API, by its document of 2026-06: the user, teams' virtual machines and SSH keys. The provider names
 * machines itself, and orders take neither a description nor tags. Not there: bare metal, consoles, invitations.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { CloudAccount } from '../../account.ts';
import type { VmType } from '../../capacity.ts';
import { SECOND_US } from '../../clock.ts';
import { type Fields, fieldsOf, optionalText, textField, wholeField, wrong } from '../../fields.ts';
import type { SshKey } from '../../keys.ts';
import type { CloudCall, CloudRoute, Personality } from '../../personality.ts';
import { Refusal } from '../../refusal.ts';
import type { CloudAnswer } from '../../request.ts';
import type { Vm, VmState } from '../../vm.ts';
import { HOTAISLE_CATALOG } from './catalog.ts';
import { refusedByHotAisle } from './errors.ts';

const TEAM = 'ada';
const VMS = '/api/teams/{team}/virtual_machines/';
const VM = `${VMS}{vm}/`;
const KEYS = '/api/user/ssh_keys/';
const BYTES_PER_GIB = 1024 ** 3;
const CENTS = 100;
const ROLES = ['owner', 'purchaser', 'operator', 'user'];
const MOST_VMS = 10;

const routes: readonly CloudRoute[] = [
  { method: 'GET', path: '/api/user/', answer: user },
  {
    method: 'GET',
    path: KEYS,
    answer: ({ account }) => listed(account.keys.all().map(keyForm)),
  },
  { method: 'POST', path: KEYS, answer: addKey },
  { method: 'DELETE', path: `${KEYS}{key}/`, answer: removeKey },
  { method: 'GET', path: `${VMS}available/`, answer: inTeam(available) },
  {
    method: 'GET',
    path: VMS,
    answer: inTeam(({ account }) => listed(account.vms.visible().map(vmForm))),
  },
  { method: 'POST', path: VMS, answer: inTeam(provision) },
  {
    method: 'GET',
    path: VM,
    answer: inTeam((call) => ({ status: 200, body: vmForm(vmIn(call)) })),
  },
  {
    method: 'GET',
    path: `${VM}state/`,
    answer: inTeam((call) => ({
      status: 200,
      body: { state: STATES[vmIn(call).state], host: 'enc1-gpu' },
    })),
  },
  { method: 'PATCH', path: VM, answer: inTeam(describe) },
  { method: 'DELETE', path: VM, answer: inTeam(remove) },
];

/** The words of libvirt. */
const STATES: Readonly<Record<VmState, string>> = {
  pending: 'shut off',
  running: 'running',
  failed: 'crashed',
  interrupted: 'shut off',
  ending: 'shut off',
};

export const HOTAISLE: Personality = {
  name: 'hotaisle',
  catalog: HOTAISLE_CATALOG,
  loginUser: 'hotaisle',
  ids: { vm: (sequence) => `enc1-gpuvm${String(sequence).padStart(3, '0')}` },
  newApiKey: () => randomBytes(20).toString('hex'),
  authenticates: ({ headers }, apiKey) => headers.authorization === `Token ${apiKey}`,
  limits: [],
  routes,
  refuse: refusedByHotAisle,
};

/** An empty list of Go is `null`: dstack 0.22.5 has met it where nothing is left. */
const listed = (items: readonly object[]): CloudAnswer => ({ status: 200, body: items });

function inTeam(answer: CloudRoute['answer']): CloudRoute['answer'] {
  return (call) => {
    if (call.params.team === TEAM) return answer(call);
    throw new Refusal('permission', `no team ${call.params.team}`);
  };
}

function user({ account }: CloudCall): CloudAnswer {
  const { quota } = account.faults();
  const team = {
    ...{ handle: TEAM, name: 'Ada', description: '', roles: ROLES, effective_roles: ROLES },
    maximum_virtual_machines: Number.isFinite(quota) ? quota : MOST_VMS * MOST_VMS,
  };
  const owner = { name: 'Ada', email: 'ada@example.com', created: '2026-01-01T00:00:00Z' };
  return { status: 200, body: { user: owner, teams: [team] } };
}

function available({ account }: CloudCall): CloudAnswer {
  const types = account.catalog.types.map((type) => ({
    Quantity: Math.min(MOST_VMS, account.vms.capacity.leftOf(type, type.regions[0] ?? '')),
    MinimumReservationMinutes: 30,
    OnDemandPrice: Math.round(type.pricePerHour * CENTS),
    Specs: specsForm(type),
  }));
  return listed(types);
}

function provision({ account, body }: CloudCall): CloudAnswer {
  const fields = fieldsOf(body);
  const [region] = account.catalog.regions;
  const [image = ''] = account.catalog.images;
  const vm = account.vms.create({
    ...{ type: typeOf(fields, account), region: region?.name ?? '', image, name: '', tags: [] },
    ...{ keys: account.keys.all(), userData: optionalText(fields, 'user_data_url') },
    isPublic: true,
  });
  return { status: 200, body: vmForm(vm) };
}

/** The first whose specifications fit. */
function typeOf(fields: Fields, { catalog }: CloudAccount): VmType {
  const whole = (name: string) => wholeField(fields, name, 1, Number.MAX_SAFE_INTEGER);
  const [cores, memory, disk] = ['cpu_cores', 'ram_capacity', 'disk_capacity'].map(whole);
  const { gpus = [] } = fields;
  if (!Array.isArray(gpus)) throw wrong('gpus', 'must be a list');
  const [gpu] = gpus.map(fieldsOf);
  const type = catalog.types.map(specsForm).findIndex((specs) => {
    const [own] = specs.gpus;
    const isSame = [specs.cpu_cores === cores, specs.ram_capacity === memory];
    isSame.push(specs.disk_capacity === disk, own?.count === gpu?.count, own?.model === gpu?.model);
    return isSame.every(Boolean);
  });
  const found = catalog.types[type];
  if (found) return found;
  throw new Refusal('no_capacity', 'no such machine');
}

function specsForm({ vcpus, memoryGib, diskGib, gpu }: VmType) {
  return {
    ...{ cpu_cores: vcpus, ram_capacity: memoryGib * BYTES_PER_GIB },
    disk_capacity: diskGib * BYTES_PER_GIB,
    cpus: {
      ...{ count: 1, manufacturer: 'Intel', model: 'Xeon Platinum 8470' },
      ...{ cores: vcpus, frequency: 2_000_000_000 },
    },
    gpus: gpu ? [{ count: gpu.count, manufacturer: 'AMD', model: gpu.name }] : [],
  };
}

function vmForm(vm: Vm) {
  const address = vm.address ?? '0.0.0.0';
  return {
    ...{ name: vm.id, ip_address: address, description: descriptionOf(vm) },
    ssh_access: { ip_address: address, port: 22 },
    ...specsForm(vm.type),
  };
}

/** The account keeps it as its only tag. */
const DESCRIPTION = 'description';

const descriptionOf = ({ tags }: Vm): string =>
  tags.find(({ key }) => key === DESCRIPTION)?.value ?? '';

const vmIn = ({ account, params }: CloudCall): Vm => account.vms.require(params.vm ?? '');

function describe(call: CloudCall): CloudAnswer {
  const value = optionalText(fieldsOf(call.body), DESCRIPTION) ?? '';
  call.account.vms.change(vmIn(call).id, { tags: [{ key: DESCRIPTION, value }] });
  return { status: 204, body: null };
}

/** Without `force`, only once the shortest time has passed for which it is charged. */
function remove(call: CloudCall): CloudAnswer {
  const { account, query } = call;
  const vm = vmIn(call);
  const isEarly = account.clock.now - vm.createdAt < 30 * 60 * SECOND_US;
  if (isEarly && query.get('force') !== 'true') {
    throw new Refusal('invalid', 'the minimum reservation time has not been met');
  }
  account.vms.end(vm.id);
  return { status: 204, body: null };
}

function addKey({ account, body }: CloudCall): CloudAnswer {
  const line = textField(fieldsOf(body), 'authorized_key');
  const [type = '', publicKey = '', ...comment] = line.trim().split(/\s+/);
  if (publicKey === '') throw wrong('authorized_key', 'is not a key');
  const added = fingerprintOf(publicKey);
  if (account.keys.all().some((key) => fingerprintOf(bodyOf(key)) === added)) {
    throw new Refusal('conflict', 'key already registered');
  }
  const key = account.keys.add(comment.join(' '), `${type} ${publicKey}`);
  return { status: 200, body: keyForm(key) };
}

function removeKey({ account, params }: CloudCall): CloudAnswer {
  const key = account.keys.all().find((one) => fingerprintOf(bodyOf(one)) === params.key);
  account.keys.delete(key?.id ?? params.key ?? '');
  return { status: 204, body: null };
}

const bodyOf = ({ publicKey }: SshKey): string => publicKey.split(' ')[1] ?? '';

const fingerprintOf = (publicKey: string): string =>
  createHash('sha256').update(Buffer.from(publicKey, 'base64')).digest('base64').replace(/=+$/, '');

function keyForm({ name, publicKey }: SshKey) {
  const [type = '', body = ''] = publicKey.split(' ');
  const fingerprint = `SHA256:${fingerprintOf(body)}`;
  return { type, public_key: body, fingerprint, comment: name };
}
