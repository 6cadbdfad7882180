/**
 * Compute Engine, as far as machines need it, by its discovery document, with the token service and the permission
 * test of Resource Manager. Creations and ends are operations, which fail after they were accepted.
 */
import { type Fields, fieldsOf, textField } from '../../fields.ts';
import type { SshKey } from '../../keys.ts';
import type { CloudCall, CloudRoute, Personality } from '../../personality.ts';
import { Refusal } from '../../refusal.ts';
import type { CloudAnswer } from '../../request.ts';
import type { Vm } from '../../vm.ts';
import { addressRoutes, natIpIn, natIpProblem } from './addresses.ts';
import { BASE, begun, IN_ZONE, ok, requireInstance, requireProject } from './calls.ts';
import { GCP_CATALOG, PROJECT, REGIONS } from './catalog.ts';
import { attachedForms, diskRoutes } from './disks.ts';
import { refusedByGcp } from './errors.ts';
import { gcpFactsOf } from './facts.ts';
import { instanceForm, linkOf, operationForm, regionForm } from './forms.ts';
import { aggregated, paged } from './lists.ts';
import { gcpMetadata } from './metadata.ts';
import { networkRoutes } from './networks.ts';
import { policyRoutes, requirePolicies } from './resource-policies.ts';
import { authenticates, grantToken, newServiceAccountKey, TOKEN_PATH } from './tokens.ts';

const FIRST_ID = 4_000_000_000_000;

const routes: readonly CloudRoute[] = [
  { method: 'POST', path: TOKEN_PATH, answer: grantToken },
  { method: 'POST', path: '/v1/projects/{project}', answer: testPermissions },
  {
    method: 'GET',
    path: BASE,
    answer: (call) => {
      requireProject(call);
      return ok({ kind: 'compute#project', name: PROJECT, id: '1' });
    },
  },
  { method: 'GET', path: `${BASE}/regions`, answer: listRegions },
  { method: 'GET', path: `${BASE}/aggregated/instances`, answer: listInstances },
  {
    method: 'GET',
    path: `${BASE}/aggregated/reservations`,
    answer: (call) =>
      aggregated(
        call,
        'reservations',
        gcpFactsOf(call.account).reservations.map((form) => ({
          ...{ scope: `zones/${form.zone.split('/').at(-1)}`, form },
        })),
      ),
  },
  { method: 'POST', path: `${IN_ZONE}/instances`, answer: insertInstance },
  {
    method: 'GET',
    path: `${IN_ZONE}/instances/{name}`,
    answer: (call) => ok(shown(requireInstance(call), call)),
  },
  { method: 'DELETE', path: `${IN_ZONE}/instances/{name}`, answer: deleteInstance },
  ...diskRoutes,
  ...policyRoutes,
  ...addressRoutes,
  ...networkRoutes,
  {
    method: 'GET',
    path: `${IN_ZONE}/operations/{operation}`,
    answer: (call) => {
      const id = Number(call.params.operation?.replace('operation-', ''));
      return ok(operationForm(call.account.operations.get(id), call.url));
    },
  },
];

let disks = 0;

export const GCP: Personality = {
  name: 'gcp',
  catalog: GCP_CATALOG,
  loginUser: 'ubuntu',
  ids: { vm: (sequence) => String(FIRST_ID + sequence), volume: () => String(FIRST_ID + ++disks) },
  newApiKey: newServiceAccountKey,
  authenticates,
  limits: [{ calls: 1500, seconds: 60, appliesTo: ({ path }) => path.startsWith('/compute/') }],
  routes,
  refuse: refusedByGcp,
  metadata: gcpMetadata,
};

function testPermissions(call: CloudCall): CloudAnswer {
  const [project, verb] = (call.params.project ?? '').split(':');
  if (verb !== 'testIamPermissions') throw new Refusal('not_found', `no method ${verb}`);
  requireProject({ ...call, params: { project: project ?? '' } });
  const { permissions } = fieldsOf(call.body) as { readonly permissions?: readonly string[] };
  const { lacking } = gcpFactsOf(call.account);
  const held = (permissions ?? []).filter((name) => !lacking.has(name));
  return ok(held.length === 0 ? {} : { permissions: held });
}

function listRegions(call: CloudCall): CloudAnswer {
  requireProject(call);
  const { quotas } = gcpFactsOf(call.account);
  return paged(call, 'compute#regionList', REGIONS, (name) => regionForm(name, quotas, call.url));
}

function listInstances(call: CloudCall): CloudAnswer {
  requireProject(call);
  const { unreachable } = gcpFactsOf(call.account);
  const items = call.account.vms
    .visible()
    .filter(({ region }) => !unreachable.has(region))
    .map((vm) => ({ scope: `zones/${vm.region}`, form: shown(vm, call) }));
  return aggregated(call, 'instances', items, unreachable);
}

function shown(vm: Vm, call: CloudCall) {
  const { bodies, natIps } = gcpFactsOf(call.account);
  const form = instanceForm(vm, {
    ...{ body: bodies.get(vm.id) ?? {}, natIp: natIps.get(vm.id) ?? null, url: call.url },
  });
  return { ...form, disks: attachedForms(call, vm) };
}

const NAME = /^[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const REQUEST_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const LABELS = { key: /^[a-z][a-z0-9_-]{0,62}$/, value: /^[a-z0-9_-]{0,63}$/ };

function insertInstance(call: CloudCall): CloudAnswer {
  requireProject(call);
  const { account, params, query, url } = call;
  const { requests, bodies, natIps } = gcpFactsOf(account);
  const requestId = query.get('requestId') ?? '';
  if (!REQUEST_ID.test(requestId)) throw new Refusal('invalid', "Invalid value for 'requestId'");
  const earlier = requests.get(requestId);
  if (earlier !== undefined) return ok(operationForm(account.operations.get(earlier), url));
  const { zone = '' } = params;
  const body = fieldsOf(call.body);
  const name = textField(body, 'name', { max: 63 });
  if (!NAME.test(name)) throw new Refusal('invalid', `Invalid value for field 'resource.name'`);
  if (account.vms.all().some((vm) => vm.region === zone && vm.name === name)) {
    const path = `projects/${PROJECT}/zones/${zone}/instances/${name}`;
    throw new Refusal('conflict', `The resource '${path}' already exists`);
  }
  const { natIp, ...order } = orderOf(body, zone, call);
  requirePolicies(call, (body.resourcePolicies ?? []) as readonly string[]);
  const target = { id: linkOf(url, `zones/${zone}/instances/${name}`), region: zone };
  const inUse = natIp === null ? null : natIpProblem(call, natIp);
  if (inUse !== null) return begun(call, 'insert', target, { problem: inUse, requestId });
  try {
    const vm = account.vms.create({ ...order, name, region: zone });
    bodies.set(vm.id, body);
    if (natIp !== null) natIps.set(vm.id, natIp);
    return begun(call, 'insert', target, { requestId });
  } catch (error) {
    const problem = error instanceof Refusal ? PROBLEMS[error.kind] : undefined;
    if (problem === undefined) throw error;
    return begun(call, 'insert', target, { problem, requestId });
  }
}

const PROBLEMS: Readonly<Record<string, string>> = {
  no_capacity: 'ZONE_RESOURCE_POOL_EXHAUSTED',
  quota: 'QUOTA_EXCEEDED',
};

function orderOf(body: Fields, zone: string, { account }: CloudCall) {
  const typeName = textField(body, 'machineType').split('/').at(-1) ?? '';
  const type = account.catalog.types.find((one) => one.name === typeName);
  if (!type?.regions.includes(zone)) {
    const path = `projects/${PROJECT}/zones/${zone}/machineTypes/${typeName}`;
    throw new Refusal('not_found', `The resource '${path}' was not found`);
  }
  const labels = Object.entries((body.labels ?? {}) as Readonly<Record<string, string>>);
  if (!labels.every(([key, value]) => LABELS.key.test(key) && LABELS.value.test(value))) {
    throw new Refusal('invalid', "Invalid value for field 'resource.labels'");
  }
  const [first] = body.networkInterfaces as readonly Fields[];
  const [config] = (first?.accessConfigs ?? []) as readonly Fields[];
  const natIp = natIpIn(config);
  return {
    ...{ type, image: imageOf(body), keys: keysOf(metadataItem(body, 'ssh-keys') ?? '') },
    userData: metadataItem(body, 'user-data'),
    tags: labels.map(([key, value]) => ({ key, value })),
    ...{ natIp, isPublic: config !== undefined && natIp === null },
  };
}

function imageOf({ disks }: Fields): string {
  const [boot] = (disks ?? []) as readonly Fields[];
  const { sourceImage } = (boot?.initializeParams ?? {}) as Fields;
  if (typeof sourceImage === 'string') return sourceImage;
  throw new Refusal('invalid', "Invalid value for field 'resource.disks': a boot disk is required");
}

function metadataItem({ metadata }: Fields, key: string): string | null {
  const { items = [] } = (metadata ?? {}) as {
    readonly items?: readonly { readonly key: string; readonly value: string }[];
  };
  return items.find((item) => item.key === key)?.value ?? null;
}

/** Lines of `user:key`. */
function keysOf(lines: string): readonly SshKey[] {
  return lines
    .split('\n')
    .filter(Boolean)
    .map((line, at) => ({
      id: String(at),
      name: '',
      publicKey: line.slice(line.indexOf(':') + 1),
    }));
}

function deleteInstance(call: CloudCall): CloudAnswer {
  const { account, params, url } = call;
  const vm = requireInstance(call);
  account.vms.end(vm.id);
  const id = linkOf(url, `zones/${params.zone}/instances/${vm.name}`);
  return begun(call, 'delete', { id, region: vm.region });
}
