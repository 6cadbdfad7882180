/**
 * The API of DigitalOcean, by its OpenAPI document: droplets, sizes, regions, images, keys, projects. Volumes
 * and actions are in `volumes.ts`. AMD Developer Cloud has the same API at another address.
 */
import { randomBytes } from 'node:crypto';
import type { CloudAccount } from '../../account.ts';
import type { CloudCatalog } from '../../capacity.ts';
import { SECOND_US } from '../../clock.ts';
import { type Fields, fieldsOf, optionalText, textField, textList, wrong } from '../../fields.ts';
import type { SshKey } from '../../keys.ts';
import type { CloudCall, CloudRoute, Personality } from '../../personality.ts';
import { Refusal } from '../../refusal.ts';
import type { CloudAnswer } from '../../request.ts';
import type { Vm, VmOrder } from '../../vm.ts';
import { AMDDEVCLOUD_CATALOG, DIGITALOCEAN_CATALOG } from './catalog.ts';
import { rateLimitHeaders, refusedByDigitalOcean } from './errors.ts';
import { dropletForm, fingerprintOf, imageForm, keyForm, regionForm, sizeForm } from './forms.ts';
import { dropletMetadata } from './metadata.ts';
import { paged } from './pages.ts';
import { actionRoutes, requireAttachable, tagsOf, volumeRoutes } from './volumes.ts';

const PROJECT = {
  ...{ id: '4e1bfbc3-dc3e-41f2-a18f-1b4d7ba71679', name: 'first-project', is_default: true },
  ...{ owner_uuid: '99525febec065ca37b2ffe4f852fd2b2581895e7', owner_id: 1, description: '' },
  ...{ purpose: 'Other', environment: 'Development' },
  ...{ created_at: '2026-01-01T00:00:00Z', updated_at: '2026-01-01T00:00:00Z' },
};

const routes: readonly CloudRoute[] = [
  { method: 'GET', path: '/v2/account', answer: accountForm },
  {
    method: 'GET',
    path: '/v2/sizes',
    answer: (call) =>
      paged(call, 'sizes', call.account.catalog.types, (type) => sizeForm(type, call.account)),
  },
  {
    method: 'GET',
    path: '/v2/regions',
    answer: (call) =>
      paged(call, 'regions', call.account.catalog.regions, (one) => regionForm(one, call.account)),
  },
  {
    method: 'GET',
    path: '/v2/images',
    answer: (call) =>
      paged(call, 'images', call.account.catalog.images, (slug) => imageForm(slug, call.account)),
  },
  {
    method: 'GET',
    path: '/v2/projects',
    answer: (call) => paged(call, 'projects', [PROJECT], (project) => project),
  },
  {
    method: 'GET',
    path: '/v2/account/keys',
    answer: (call) => paged(call, 'ssh_keys', call.account.keys.all(), keyForm),
  },
  { method: 'POST', path: '/v2/account/keys', answer: addKey },
  {
    method: 'DELETE',
    path: '/v2/account/keys/{key}',
    answer: ({ account, params }) => {
      account.keys.delete(params.key ?? '');
      return { status: 204, body: null };
    },
  },
  { method: 'GET', path: '/v2/droplets', answer: listDroplets },
  { method: 'POST', path: '/v2/droplets', answer: createDroplets },
  {
    method: 'GET',
    path: '/v2/droplets/{id}',
    answer: ({ account, params }) => ({
      status: 200,
      body: { droplet: dropletForm(account.vms.require(params.id ?? ''), account) },
    }),
  },
  {
    method: 'DELETE',
    path: '/v2/droplets/{id}',
    answer: ({ account, params }) => {
      account.vms.end(params.id ?? '');
      return { status: 204, body: null };
    },
  },
  ...volumeRoutes,
  ...actionRoutes,
];

const FIRST_ID = 500_000_000;

function personality(name: string, catalog: CloudCatalog): Personality {
  let keys = 0;
  return {
    name,
    catalog,
    loginUser: 'root',
    ids: { vm: (sequence) => String(FIRST_ID + sequence), key: () => String(++keys) },
    newApiKey: () => `dop_v1_${randomBytes(32).toString('hex')}`,
    authenticates: ({ headers }, apiKey) => headers.authorization === `Bearer ${apiKey}`,
    limits: [
      { calls: 5000, seconds: 3600, appliesTo: () => true },
      { calls: 250, seconds: 60, appliesTo: () => true },
    ],
    routes,
    refuse: refusedByDigitalOcean,
    headers: rateLimitHeaders,
    metadata: dropletMetadata,
  };
}

export const DIGITALOCEAN = personality('digitalocean', DIGITALOCEAN_CATALOG);
export const AMDDEVCLOUD = personality('amddevcloud', AMDDEVCLOUD_CATALOG);

function accountForm({ account }: CloudCall): CloudAnswer {
  const { quota } = account.faults();
  const limits = { droplet_limit: Number.isFinite(quota) ? quota : 25, floating_ip_limit: 5 };
  const owner = { email: 'ada@example.com', name: 'Ada', uuid: 'b6fr89dbf6d9156cace5f3c78dc9851d' };
  const state = { email_verified: true, status: 'active', status_message: '' };
  return { status: 200, body: { account: { ...limits, ...owner, ...state } } };
}

function addKey({ account, body }: CloudCall): CloudAnswer {
  const fields = fieldsOf(body);
  const name = textField(fields, 'name');
  const publicKey = textField(fields, 'public_key');
  const fingerprint = fingerprintOf(publicKey);
  if (account.keys.all().some((key) => fingerprintOf(key.publicKey) === fingerprint)) {
    throw wrong('SSH Key', 'is already in use on your account');
  }
  return { status: 201, body: { ssh_key: keyForm(account.keys.add(name, publicKey)) } };
}

/** Without `type=gpus`, droplets with GPUs are left out, unless they are looked up by a tag. */
function listDroplets(call: CloudCall): CloudAnswer {
  const { account, query } = call;
  const [tag, name, type] = ['tag_name', 'name', 'type'].map((key) => query.get(key));
  if (tag && (name || type)) throw wrong('tag_name', 'can not be combined with name or type');
  const isListed = (vm: Vm) => {
    if (tag) return vm.tags.some(({ key }) => key === tag);
    if (name && vm.name.toLowerCase() !== name.toLowerCase()) return false;
    return (type === 'gpus') === (vm.type.gpu !== null);
  };
  const droplets = account.vms.visible().filter(isListed);
  return paged(call, 'droplets', droplets, (vm) => dropletForm(vm, account));
}

const NAME = /^[a-zA-Z0-9]?[a-z0-9A-Z.-]*[a-z0-9A-Z]$/;
const MAX_NAMES = 10;
const MAX_USER_DATA = 64 * 1024;

function createDroplets({ account, body, url }: CloudCall): CloudAnswer {
  const fields = fieldsOf(body);
  const isSingle = fields.names === undefined;
  const names = isSingle ? [textField(fields, 'name', { max: 255 })] : textList(fields, 'names');
  if (names.length > MAX_NAMES) throw wrong('names', `must be at most ${MAX_NAMES}`);
  if (!names.every((name) => NAME.test(name))) {
    throw wrong('Only valid hostname characters', 'are allowed. (a-z, A-Z, 0-9, . and -)');
  }
  const order = orderOf(fields, account);
  const volumes = textList(fields, 'volumes');
  requireAttachable(account, volumes, order.region);
  const made = names.map((name) => account.vms.create({ ...order, name }));
  const [first] = made;
  if (first) for (const id of volumes) account.volumes.attach(id, first);
  const actions = made.map((vm) => ({ id: beginCreation(account, vm), rel: 'create' }));
  const links = { actions: actions.map((it) => ({ ...it, href: `${url}/v2/actions/${it.id}` })) };
  const droplets = made.map((vm) => dropletForm(vm, account));
  const answered = isSingle ? { droplet: droplets[0] } : { droplets };
  return { status: 202, body: { ...answered, links } };
}

/** The id of the action that ends when the droplet is active, or has failed. */
function beginCreation(account: CloudAccount, vm: Vm): number {
  const { readyAt, createdAt, problem } = vm;
  const seconds = readyAt === null ? null : (readyAt - createdAt) / SECOND_US;
  return account.operations.begin('create', vm, seconds, problem).id;
}

function orderOf(fields: Fields, account: CloudAccount): Omit<VmOrder, 'name'> {
  const [anywhere] = account.catalog.regions;
  const userData = optionalText(fields, 'user_data');
  if (userData !== null && Buffer.byteLength(userData) > MAX_USER_DATA) {
    throw wrong('user_data', 'may not exceed 64 KiB');
  }
  const image = typeof fields.image === 'number' ? fields.image : textField(fields, 'image');
  const slug = account.catalog.images.find(
    (one) => one === image || imageForm(one, account).id === image,
  );
  if (slug === undefined) {
    throw new Refusal('invalid', 'You specified an invalid image for Droplet creation.');
  }
  return {
    type: account.requireType(textField(fields, 'size')),
    region: account.requireRegion(optionalText(fields, 'region') ?? anywhere?.name ?? ''),
    image: slug,
    keys: keysOf(fields, account),
    ...{ userData, tags: tagsOf(fields), isPublic: fields.public_networking !== false },
  };
}

/** By id or fingerprint. */
function keysOf({ ssh_keys: wanted = [] }: Fields, account: CloudAccount): readonly SshKey[] {
  if (!Array.isArray(wanted)) throw wrong('ssh_keys', 'must be a list');
  return wanted.map((one: unknown) => {
    const key = account.keys
      .all()
      .find(({ id, publicKey }) => id === String(one) || fingerprintOf(publicKey) === one);
    if (key) return key;
    throw new Refusal('invalid', `${one} are invalid key identifiers for Droplet creation.`);
  });
}
