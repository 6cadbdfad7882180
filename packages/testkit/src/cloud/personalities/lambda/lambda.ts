/**
 * Lambda's public cloud API 1.10.0, by its published description: paths, both forms of authentication,
 * bodies of answers and errors, limits on calls.
 */
import { hexId } from '../../account.ts';
import { type Fields, fieldsOf, optionalText, textField, textList, wrong } from '../../fields.ts';
import type { CloudCall, CloudRoute, Personality } from '../../personality.ts';
import { Refusal } from '../../refusal.ts';
import type { CloudAnswer, CloudRequest } from '../../request.ts';
import type { CloudTag, Vm } from '../../vm.ts';
import { LAMBDA_CATALOG } from './catalog.ts';
import { refusedByLambda } from './errors.ts';
import { instanceForm, regionForm, typeForm } from './forms.ts';

const LAUNCH = '/api/v1/instance-operations/launch';
const MAX_USER_DATA = 1_000_000;

const routes: readonly CloudRoute[] = [
  { method: 'GET', path: '/api/v1/instance-types', answer: instanceTypes },
  {
    method: 'GET',
    path: '/api/v1/regions',
    answer: ({ account }) => data(account.catalog.regions.map(regionForm)),
  },
  {
    method: 'GET',
    path: '/api/v1/images',
    answer: ({ account: { catalog, clock } }) =>
      data(
        catalog.images.flatMap((family) =>
          catalog.regions.map((region) => imageForm(family, regionForm(region), clock.now)),
        ),
      ),
  },
  {
    method: 'GET',
    path: '/api/v1/instances',
    answer: ({ account }) => data(account.vms.visible().map((vm) => instanceForm(vm, account))),
  },
  {
    method: 'GET',
    path: '/api/v1/instances/{id}',
    answer: ({ account, params }) =>
      data(instanceForm(account.vms.require(params.id ?? ''), account)),
  },
  { method: 'POST', path: LAUNCH, answer: launch },
  { method: 'POST', path: '/api/v1/instance-operations/terminate', answer: terminate },
  { method: 'POST', path: '/api/v1/instance-operations/restart', answer: restart },
  {
    method: 'GET',
    path: '/api/v1/ssh-keys',
    answer: ({ account }) => data(account.keys.all().map(keyForm)),
  },
  { method: 'POST', path: '/api/v1/ssh-keys', answer: addKey },
  {
    method: 'DELETE',
    path: '/api/v1/ssh-keys/{id}',
    answer: ({ account, params }) => {
      account.keys.delete(params.id ?? '');
      return data({});
    },
  },
  {
    method: 'GET',
    path: '/api/v1/file-systems',
    answer: () => data([]),
  },
];

export const LAMBDA: Personality = {
  name: 'lambda',
  catalog: LAMBDA_CATALOG,
  loginUser: 'ubuntu',
  newApiKey: () => `secret_test_${hexId()}`,
  authenticates,
  limits: [
    { calls: 1, seconds: 1, appliesTo: () => true },
    { calls: 1, seconds: 12, appliesTo: isLaunch },
    { calls: 5, seconds: 60, appliesTo: isLaunch },
  ],
  routes,
  refuse: refusedByLambda,
};

/** Bearer, or Basic with the key as the user's name, with and without encoding. */
function authenticates({ headers }: CloudRequest, apiKey: string): boolean {
  const encoded = Buffer.from(`${apiKey}:`).toString('base64');
  const accepted = [`Bearer ${apiKey}`, `Basic ${apiKey}`, `Basic ${encoded}`];
  return accepted.includes(String(headers.authorization));
}

function isLaunch({ method, path }: CloudRequest): boolean {
  return method === 'POST' && path === LAUNCH;
}

const data = (value: unknown): CloudAnswer => ({ status: 200, body: { data: value } });

function instanceTypes({ account }: CloudCall): CloudAnswer {
  const { types, regions } = account.catalog;
  const items = types.map((type) => {
    const withCapacity = account.vms.capacity.regionsWith(type);
    const item = {
      instance_type: typeForm(type),
      regions_with_capacity_available: regions
        .filter(({ name }) => withCapacity.includes(name))
        .map(regionForm),
    };
    return [type.name, item] as const;
  });
  return data(Object.fromEntries(items));
}

function launch({ account, body }: CloudCall): CloudAnswer {
  const fields = fieldsOf(body);
  const type = account.requireType(textField(fields, 'instance_type_name'));
  const region = account.requireRegion(textField(fields, 'region_name'));
  const names = textList(fields, 'ssh_key_names');
  if (names.length !== 1) throw wrong('ssh_key_names', 'must name exactly one key');
  const keys = names.map((name) => {
    const key = account.keys.all().find((one) => one.name === name);
    if (key) return key;
    throw new Refusal('not_found', `SSH key ${name}`, { what: `ssh key ${name}` });
  });
  const [image = ''] = account.catalog.images;
  const vm = account.vms.create({
    ...{ type, region, keys, image: imageOf(fields) ?? image, isPublic: true },
    name: optionalText(fields, 'name', { max: 64 }) ?? '',
    userData: optionalText(fields, 'user_data', { max: MAX_USER_DATA }),
    tags: tagsOf(fields),
  });
  return data({ instance_ids: [vm.id] });
}

const TAG_KEY = /^[a-z][a-z0-9-:]+$/;

function tagsOf({ tags = [] }: Fields): readonly CloudTag[] {
  if (!Array.isArray(tags)) throw wrong('tags', 'must be a list');
  return tags.map((item: unknown) => {
    const tag = fieldsOf(item);
    const key = textField(tag, 'key', { max: 55 });
    if (!TAG_KEY.test(key)) throw wrong('tags', `must have keys like ${TAG_KEY.source}`);
    return { key, value: optionalText(tag, 'value', { max: 128 }) ?? '' };
  });
}

function imageOf({ image }: Fields): string | null {
  if (image === undefined) return null;
  const fields = fieldsOf(image);
  return optionalText(fields, 'family') ?? textField(fields, 'id');
}

function terminate({ account, body }: CloudCall): CloudAnswer {
  const ids = idsOf(body);
  // All of them or none.
  for (const id of ids) account.vms.require(id);
  const ended = ids.map((id) => instanceForm(account.vms.end(id), account));
  return data({ terminated_instances: ended });
}

async function restart({ account, body }: CloudCall): Promise<CloudAnswer> {
  const restarted: Vm[] = [];
  for (const id of idsOf(body)) {
    restarted.push(account.vms.require(id));
    await account.vms.reboot(id);
  }
  return data({ restarted_instances: restarted.map((vm) => instanceForm(vm, account)) });
}

function idsOf(body: unknown): readonly string[] {
  const ids = textList(fieldsOf(body), 'instance_ids');
  if (ids.length === 0) throw wrong('instance_ids', 'must name an instance');
  return ids;
}

function addKey({ account, body }: CloudCall): CloudAnswer {
  const fields = fieldsOf(body);
  const name = textField(fields, 'name', { max: 64 });
  const publicKey = textField(fields, 'public_key', { max: 4096 });
  if (account.keys.all().some((key) => key.name === name)) throw wrong('name', 'is taken');
  return data(keyForm(account.keys.add(name, publicKey)));
}

function keyForm(key: { readonly id: string; readonly name: string; readonly publicKey: string }) {
  return { id: key.id, name: key.name, public_key: key.publicKey };
}

function imageForm(family: string, region: object, now: number) {
  const at = new Date(now / 1000).toISOString();
  return {
    ...{ id: `${family}-image`, name: family, family, description: family, version: '1' },
    ...{ created_time: at, updated_time: at, architecture: 'x86_64', region },
  };
}
