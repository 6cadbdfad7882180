/**
 * Vast.ai's API by its published document of 2026-08: search, orders, instances, SSH keys of the account. It takes
 * `client_id` and `create_from`, which dstack 0.22.5 sends and the document lacks.
 */

import { hexId } from '../../account.ts';
import { type Fields, fieldsOf, optionalText, textField, textList, wrong } from '../../fields.ts';
import type { HostContainer } from '../../hosts.ts';
import type { CloudCall, CloudRoute, Personality } from '../../personality.ts';
import { Refusal } from '../../refusal.ts';
import type { CloudAnswer, CloudRequest } from '../../request.ts';
import { askOfType, VASTAI_CATALOG } from './catalog.ts';
import { refusedByVastai, THRESHOLDS } from './errors.ts';
import { instanceForm, openAsks, searched } from './forms.ts';

const routes: readonly CloudRoute[] = [
  { method: 'POST', path: '/api/v0/bundles/', answer: search },
  { method: 'PUT', path: '/api/v0/asks/{id}/', answer: create },
  { method: 'GET', path: '/api/v1/instances/', answer: list },
  {
    method: 'GET',
    path: '/api/v0/instances/{id}/',
    answer: ({ account, params }) =>
      ok({ instances: instanceForm(account.vms.require(params.id ?? '')) }),
  },
  {
    method: 'DELETE',
    path: '/api/v0/instances/{id}/',
    answer: ({ account, params }) => {
      account.vms.end(params.id ?? '');
      return ok({ success: true, msg: 'Instance destroyed successfully' });
    },
  },
  { method: 'GET', path: '/api/v0/ssh/', answer: listKeys },
  { method: 'POST', path: '/api/v0/ssh/', answer: addKey },
  { method: 'DELETE', path: '/api/v0/ssh/{id}/', answer: removeKey },
];

const isCreation = ({ method, path }: CloudRequest) =>
  method === 'PUT' && path.startsWith('/api/v0/asks/');
const isList = ({ method, path }: CloudRequest) =>
  method === 'GET' && path === '/api/v1/instances/';
const isSearch = ({ path }: CloudRequest) => path === '/api/v0/bundles/';
const isEnd = ({ method, path }: CloudRequest) =>
  method === 'DELETE' && path.startsWith('/api/v0/instances/');

export const VASTAI: Personality = {
  name: 'vastai',
  catalog: VASTAI_CATALOG,
  loginUser: 'root',
  ids: { vm: (sequence) => String(30_000_000 + sequence), key: () => String(nextKey++) },
  newApiKey: () => `${hexId()}${hexId()}`,
  authenticates: (request, apiKey) =>
    request.headers.authorization === `Bearer ${apiKey}` ||
    // The reference searches without a key.
    (isSearch(request) && request.headers.authorization === undefined),
  limits: [
    { calls: 1, seconds: THRESHOLDS.create, appliesTo: isCreation },
    { calls: 1, seconds: THRESHOLDS.list, appliesTo: isList },
    { calls: 1, seconds: THRESHOLDS.end, appliesTo: isEnd },
    { calls: 10, seconds: 60, appliesTo: isSearch },
  ],
  routes,
  refuse: refusedByVastai,
};

let nextKey = 1;

const ok = (body: unknown): CloudAnswer => ({ status: 200, body });

function search({ account, body }: CloudCall): CloudAnswer {
  return ok({ offers: searched(openAsks(account), fieldsOf(body)), truncated: false });
}

const DEFAULT_PAGE = 5;
const MOST_PAGE = 25;

/** By ids, which rise; the token names the last one. */
function list({ account, query }: CloudCall): CloudAnswer {
  const limit = Math.min(MOST_PAGE, Number(query.get('limit') ?? 0) || DEFAULT_PAGE);
  const after = Number(query.get('after_token') ?? 0);
  if (!Number.isInteger(after)) throw new Refusal('invalid', 'after_token is not valid');
  const all = account.vms.visible().toSorted((a, b) => Number(a.id) - Number(b.id));
  const rest = all.filter(({ id }) => Number(id) > after);
  const page = rest.slice(0, limit);
  return ok({
    ...{ success: true, instances_found: page.length, total_instances: all.length },
    ...{ label_counts: {}, instances: page.map(instanceForm) },
    next_token: rest.length > page.length ? page.at(-1)?.id : null,
  });
}

const FIELDS = new Set([
  ...['client_id', 'create_from', 'image', 'template_hash_id', 'label', 'disk', 'runtype'],
  ...['target_state', 'price', 'env', 'cancel_unavail', 'vm', 'onstart', 'args', 'args_str'],
  ...['use_jupyter_lab', 'jupyter_dir', 'python_utf8', 'lang_utf8', 'force', 'user'],
  ...['image_login', 'volume_info', 'target_reliability'],
]);
const LONGEST = { image: 1024, label: 256, command: 4096, variable: 256, environment: 32_768 };
const LEAST_DISK = 8;

function create({ account, params, body }: CloudCall): CloudAnswer {
  const fields = fieldsOf(body);
  for (const name of Object.keys(fields)) if (!FIELDS.has(name)) throw wrong(name, 'is not known');
  const type = account.catalog.types.find(({ name }) => name === params.id);
  const ask = type && askOfType(type);
  const isOpen = openAsks(account).some(({ id }) => id === ask?.id);
  const name = optionalText(fields, 'label', { max: LONGEST.label }) ?? '';
  const container = containerOf(fields);
  const { disk = LEAST_DISK, price = null } = fields;
  if (typeof disk !== 'number' || disk < LEAST_DISK) throw wrong('disk', 'must be at least 8');
  if (!type || !ask || !isOpen || disk > ask.disk_space) {
    throw new Refusal('no_capacity', `no_such_ask ${params.id}`);
  }
  if (price !== null && (typeof price !== 'number' || price < ask.min_bid)) {
    throw new Refusal('conflict', 'the bid is below the least bid');
  }
  const tags = [
    { key: 'disk', value: String(disk) },
    ...(price === null ? [] : [{ key: 'bid', value: String(price) }]),
    { key: 'ports', value: portsOf(fields).join(' ') },
  ].filter(({ value }) => value !== '');
  const vm = account.vms.create({
    ...{ name, type, tags, container, image: container.image, region: ask.geolocation },
    ...{ keys: [], userData: null, isPublic: false },
  });
  return ok({ success: true, new_contract: Number(vm.id) });
}

/** With the run type `args`, `onstart` is the program in place of that of the image. */
function containerOf(fields: Fields): HostContainer {
  const onstart = optionalText(fields, 'onstart');
  const args = textList(fields, 'args');
  if (fields.runtype !== 'args') throw wrong('runtype', 'must be args here');
  const length = [onstart ?? '', ...args].join('').length;
  if (length > LONGEST.command) throw wrong('args', `has ${length} characters, 4096 at most`);
  const environment = variablesOf(fields).filter(([name]) => !name.startsWith('-p '));
  return {
    ...{ image: textField(fields, 'image', { max: LONGEST.image }), command: args },
    ...{ entrypoint: onstart === null ? [] : [onstart], registryAuth: loginOf(fields) },
    ...{ environment: Object.fromEntries(environment), volumes: [] },
  };
}

function variablesOf({ env = {} }: Fields): readonly (readonly [string, string])[] {
  const entries = Object.entries(fieldsOf(env)).map(
    ([name, value]) => [name, String(value)] as const,
  );
  const isLong = entries.some(([, value]) => value.length > LONGEST.variable);
  if (isLong || JSON.stringify(entries).length > LONGEST.environment)
    throw wrong('env', 'is too long');
  return entries;
}

function portsOf(fields: Fields): readonly string[] {
  return variablesOf(fields).flatMap(([name]) => /^-p (\d+):\d+$/.exec(name)?.[1] ?? []);
}

function loginOf(fields: Fields): HostContainer['registryAuth'] {
  const text = optionalText(fields, 'image_login');
  if (text === null) return null;
  const [, username, password] = /^-u (\S+) -p (\S+) (\S+)$/.exec(text) ?? [];
  if (username === undefined || password === undefined) throw wrong('image_login', 'is no login');
  return { username, password };
}

function listKeys({ account }: CloudCall): CloudAnswer {
  const keys = account.keys.all();
  return ok(
    keys.map(({ id, publicKey }) => ({ id: Number(id), key: publicKey, deleted_at: null })),
  );
}

function addKey({ account, body }: CloudCall): CloudAnswer {
  const publicKey = textField(fieldsOf(body), 'ssh_key');
  const { id } = account.keys.add(publicKey, publicKey);
  return ok({ success: true, key: { id: Number(id), public_key: publicKey, deleted_at: null } });
}

function removeKey({ account, params }: CloudCall): CloudAnswer {
  account.keys.delete(params.id ?? '');
  return ok({ success: true });
}
