/**
 * Verda's API (v1), by its official SDKs 1.25 for Python and 1.4 for Go and its notes of changes: instances, types,
 * availability, SSH keys, start-up scripts, tokens. Not there: volumes, clusters, private networks, containers.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import type { CloudAccount } from '../../account.ts';
import type { VmType } from '../../capacity.ts';
import { type Fields, fieldsOf, optionalText, textField, textList, wrong } from '../../fields.ts';
import type { SshKey } from '../../keys.ts';
import type { CloudCall, CloudRoute, Personality } from '../../personality.ts';
import { Refusal } from '../../refusal.ts';
import type { CloudAnswer } from '../../request.ts';
import type { CloudTag, Vm, VmState } from '../../vm.ts';
import { VERDA_CATALOG } from './catalog.ts';
import { refusedByVerda } from './errors.ts';
import { addScript, removeScript, removeScripts, scriptsOf } from './scripts.ts';
import { authenticates, grantToken, knownClient, TOKEN_PATH, withToken } from './tokens.ts';

const PER_PAGE = 100;
/** On demand, and half of it and less on spot. */
const SPOT_SHARE = 0.4;
const MOST_TAGS = 10;

const closed: readonly CloudRoute[] = [
  { method: 'GET', path: '/v1/instance-types', answer: types },
  { method: 'GET', path: '/v1/instance-availability', answer: availability },
  {
    ...{ method: 'GET', path: '/v1/locations' },
    answer: ({ account }) =>
      answer(account.catalog.regions.map(({ name: code }) => ({ code, name: code }))),
  },
  { method: 'GET', path: '/v1/instances', answer: instances },
  { method: 'POST', path: '/v1/instances', answer: create },
  { method: 'PUT', path: '/v1/instances', answer: act },
  {
    ...{ method: 'GET', path: '/v1/instances/{id}' },
    answer: ({ account, params }) =>
      answer(instanceForm(account, account.vms.require(params.id ?? ''))),
  },
  {
    ...{ method: 'GET', path: '/v1/sshkeys' },
    answer: ({ account }) => answer(account.keys.all().map(keyForm)),
  },
  {
    ...{ method: 'POST', path: '/v1/sshkeys' },
    answer: ({ account, body }) => {
      const fields = fieldsOf(body);
      return idText(account.keys.add(textField(fields, 'name'), textField(fields, 'key')).id);
    },
  },
  {
    ...{ method: 'DELETE', path: '/v1/sshkeys' },
    answer: ({ account, body }) => {
      for (const id of textList(fieldsOf(body), 'keys')) account.keys.delete(id);
      return EMPTY;
    },
  },
  {
    ...{ method: 'DELETE', path: '/v1/sshkeys/{id}' },
    answer: ({ account, params }) => {
      account.keys.delete(params.id ?? '');
      return EMPTY;
    },
  },
  {
    method: 'GET',
    path: '/v1/scripts',
    answer: (call) => paged(call, scriptsOf(call.account), 10),
  },
  { method: 'POST', path: '/v1/scripts', answer: (call) => idText(addScript(call)) },
  { method: 'DELETE', path: '/v1/scripts', answer: removeScripts },
  { method: 'DELETE', path: '/v1/scripts/{id}', answer: removeScript },
];

const routes: readonly CloudRoute[] = [
  { method: 'POST', path: TOKEN_PATH, answer: grantToken },
  ...closed.map((route) => ({ ...route, answer: withToken(route.answer) })),
];

export const VERDA: Personality = {
  name: 'verda',
  catalog: VERDA_CATALOG,
  loginUser: 'root',
  ids: { vm: () => randomUUID(), key: () => randomUUID() },
  newApiKey: () =>
    knownClient(`${randomBytes(16).toString('base64url')}:${randomBytes(30).toString('hex')}`),
  authenticates,
  limits: [],
  routes,
  refuse: refusedByVerda,
};

const answer = (body: object): CloudAnswer => ({ status: 200, body });
const EMPTY: CloudAnswer = { status: 200, body: null };
const idText = (id: string): CloudAnswer => ({ status: 201, body: null, text: id });

/** Headers have what bodies lack, so that these stay lists. */
function paged({ query }: CloudCall, all: readonly object[], size: number): CloudAnswer {
  const page = Number(query.get('page') ?? 1);
  const perPage = Number(query.get('pageSize') ?? size);
  if (!(page >= 1 && perPage >= 1 && perPage <= PER_PAGE)) throw wrong('pageSize', 'is too large');
  const headers = {
    ...{ 'x-page': String(page), 'x-page-size': String(perPage) },
    'x-total-count': String(all.length),
  };
  return { ...answer(all.slice((page - 1) * perPage, page * perPage)), headers };
}

function types({ account }: CloudCall): CloudAnswer {
  const forms = account.catalog.types.map((type) => ({
    ...{ id: type.name, instance_type: type.name, name: type.description, model: type.name },
    ...hardware(type),
    price_per_hour: String(type.pricePerHour),
    spot_price: String(spotPrice(type)),
    ...{ description: 'Dedicated Hardware Instance', currency: 'usd', best_for: [], p2p: null },
    ...{ manufacturer: 'NVIDIA', display_name: null, deploy_warning: null },
    supported_os: imagesOf(type),
  }));
  return answer(forms);
}

const spotPrice = ({ pricePerHour }: VmType): number =>
  Math.round(pricePerHour * SPOT_SHARE * 10_000) / 10_000;

/** Old GPUs have no drivers in new images. */
function imagesOf({ gpu }: VmType): readonly string[] {
  const old = ['ubuntu-22.04-cuda-12.0-docker'];
  if (gpu?.name === 'V100' || gpu?.name === 'A6000') return old;
  const open = ['ubuntu-24.04-cuda-13.0-open-docker', 'ubuntu-24.04-cuda-12.8-open-docker'];
  return ['ubuntu-24.04', ...old, ...open];
}

function hardware({ vcpus, memoryGib, gpu, description }: VmType) {
  const count = gpu?.count ?? 0;
  return {
    cpu: { description: `${vcpus} CPU`, number_of_cores: vcpus },
    gpu: { description, number_of_gpus: count },
    gpu_memory: { description: '', size_in_gigabytes: count * (gpu?.memoryGib ?? 0) },
    memory: { description: `${memoryGib}GB RAM`, size_in_gigabytes: memoryGib },
    storage: { description: 'dynamic' },
  };
}

function availability({ account: { catalog, vms } }: CloudCall): CloudAnswer {
  const forms = catalog.regions.map(({ name }) => ({
    location_code: name,
    availabilities: catalog.types
      .filter((type) => vms.capacity.regionsWith(type).includes(name))
      .map((type) => type.name),
  }));
  return answer(forms);
}

interface Facts {
  readonly description: string;
  readonly isSpot: boolean;
  readonly script: string | null;
  readonly keys: readonly string[];
  readonly disk: Fields;
  readonly volume: string;
}

/** Further facts about machines, by their ids. */
const facts = new WeakMap<CloudAccount, Map<string, Facts>>();

function factsOf(account: CloudAccount): Map<string, Facts> {
  const known = facts.get(account) ?? new Map<string, Facts>();
  facts.set(account, known);
  return known;
}

function instances(call: CloudCall): CloudAnswer {
  const { account } = call;
  const all = account.vms.visible().map((vm) => instanceForm(account, vm));
  return paged(call, all, PER_PAGE);
}

const STATUSES: Readonly<Record<VmState, string>> = {
  pending: 'provisioning',
  running: 'running',
  failed: 'error',
  interrupted: 'discontinued',
  ending: 'deleting',
};

function instanceForm(account: CloudAccount, vm: Vm) {
  const known = factsOf(account).get(vm.id);
  const isSpot = known?.isSpot ?? false;
  return {
    ...{ id: vm.id, instance_type: vm.type.name, hostname: vm.name, location: vm.region },
    ...{ status: STATUSES[vm.state], image: vm.image, ip: vm.address, private_ip: null },
    ...hardware(vm.type),
    price_per_hour: isSpot ? spotPrice(vm.type) : vm.type.pricePerHour,
    created_at: new Date(vm.createdAt / 1000).toISOString(),
    ...{ description: known?.description ?? '', is_spot: isSpot, os_volume_id: known?.volume },
    ...{ startup_script_id: known?.script ?? null, ssh_key_ids: known?.keys ?? [] },
    ...{ contract: isSpot ? 'SPOT' : 'PAY_AS_YOU_GO', pricing: 'FIXED_PRICE' },
    tags: vm.tags.map(({ key, value }) => ({ id: `${vm.id}-${key}`, key, value: value ?? '' })),
  };
}

function create({ account, body }: CloudCall): CloudAnswer {
  const fields = fieldsOf(body);
  const type = account.requireType(textField(fields, 'instance_type'));
  const image = textField(fields, 'image');
  if (!account.catalog.images.includes(image)) throw wrong('image', 'is not known');
  const keys = textList(fields, 'ssh_key_ids').map((id) => requiredKey(account, id));
  const scriptId = optionalText(fields, 'startup_script_id');
  const script = scriptsOf(account).find(({ id }) => id === scriptId);
  if (scriptId !== null && !script) throw wrong('startup_script_id', 'is not known');
  const disk = fieldsOf(fields.os_volume);
  textField(disk, 'name');
  const isSpot = fields.is_spot === true;
  if (!isSpot && disk.on_spot_discontinue) throw wrong('on_spot_discontinue', 'is for spot');
  const vm = account.vms.create({
    ...{ type, image, keys, isPublic: true, userData: script?.script ?? null },
    region: account.requireRegion(textField(fields, 'location_code')),
    name: textField(fields, 'hostname', { max: 60 }),
    tags: tagsIn(fields),
  });
  factsOf(account).set(vm.id, {
    ...{ description: textField(fields, 'description', { max: 60 }), isSpot, script: scriptId },
    ...{ keys: keys.map(({ id }) => id), disk, volume: randomUUID() },
  });
  return { status: 202, body: null, text: vm.id };
}

function tagsIn({ tags = [] }: Fields): readonly CloudTag[] {
  if (!Array.isArray(tags) || tags.length > MOST_TAGS) throw wrong('tags', 'must be 10 at most');
  return tags.map((item: unknown) => {
    const tag = fieldsOf(item);
    const key = textField(tag, 'key', { max: 63 }).toLowerCase();
    return { key, value: optionalText(tag, 'value', { max: 127 }) ?? '' };
  });
}

function requiredKey({ keys }: CloudAccount, id: string): SshKey {
  const key = keys.all().find((one) => one.id === id);
  if (key) return key;
  throw wrong('ssh_key_ids', 'must be keys of the account');
}

/** The system disk ends with its machine unless other volumes are named instead. */
function act({ account, body }: CloudCall): CloudAnswer {
  const fields = fieldsOf(body);
  const ids = typeof fields.id === 'string' ? [fields.id] : textList(fields, 'id');
  const action = textField(fields, 'action');
  if (action !== 'delete' && action !== 'discontinue') throw wrong('action', 'is not simulated');
  const results = ids.map((instanceId) => {
    const volume = factsOf(account).get(instanceId)?.volume;
    const named = fields.volume_ids == null ? null : textList(fields, 'volume_ids');
    if (account.vms.require(instanceId).state === 'ending') {
      throw new Refusal('conflict', "Can't discontinue a discontinued instance");
    }
    if (named?.some((id) => id !== volume))
      throw wrong('volume_ids', 'are not those of the instance');
    account.vms.end(instanceId);
    return { action, instanceId, status: 'success' };
  });
  return { status: 202, body: results };
}

const keyForm = ({ id, name, publicKey }: SshKey) => ({ id, name, key: publicKey });
