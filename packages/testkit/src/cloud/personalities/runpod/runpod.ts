/**
 * RunPod's REST API, version 2, by its published document of 2026-08: pods, catalogue, credentials of registries,
 * network volumes. It takes `entrypoint` and `cmd`, which dstack 0.22.5 sends and the document lacks; other
 * properties that it lacks are refused, as there.
 */
import { hexId } from '../../account.ts';
import type { CallAllowance } from '../../call-limits.ts';
import {
  type Fields,
  fieldsOf,
  optionalText,
  textField,
  textList,
  wholeField,
  wrong,
} from '../../fields.ts';
import type { HostContainer } from '../../hosts.ts';
import type { CloudCall, CloudRoute, Personality } from '../../personality.ts';
import { Refusal } from '../../refusal.ts';
import type { CloudAnswer, CloudRequest } from '../../request.ts';
import type { CloudTag } from '../../vm.ts';
import { CPUS, cpuTypeName, GPUS, gpuTypeName, RUNPOD_CATALOG } from './catalog.ts';
import { refusedByRunpod } from './errors.ts';
import { cpuForm, gpuForm, podForm } from './forms.ts';
import { addRegistry, authOf, listRegistries, removeRegistry } from './registries.ts';
import { addVolume, listVolumes, oneVolume, removeVolume } from './volumes.ts';

const routes: readonly CloudRoute[] = [
  { method: 'GET', path: '/v2/account/ssh-keys', answer: () => ok({ keys: [] }) },
  { method: 'GET', path: '/v2/catalog/gpus', answer: listGpus },
  { method: 'GET', path: '/v2/catalog/cpus', answer: listCpus },
  {
    method: 'GET',
    path: '/v2/pods',
    answer: ({ account }) => ok({ pods: account.vms.visible().map(podForm) }),
  },
  { method: 'POST', path: '/v2/pods', answer: createPod },
  {
    method: 'GET',
    path: '/v2/pods/{id}',
    answer: ({ account, params }) => ok(podForm(account.vms.require(params.id ?? ''))),
  },
  {
    method: 'DELETE',
    path: '/v2/pods/{id}',
    answer: ({ account, params }) => {
      account.vms.end(params.id ?? '');
      return NOTHING;
    },
  },
  { method: 'GET', path: '/v2/pods/{id}/logs', answer: podLogs },
  { method: 'GET', path: '/v2/registries', answer: listRegistries },
  { method: 'POST', path: '/v2/registries', answer: addRegistry },
  { method: 'DELETE', path: '/v2/registries/{id}', answer: removeRegistry },
  { method: 'GET', path: '/v2/network-volumes', answer: listVolumes },
  { method: 'POST', path: '/v2/network-volumes', answer: addVolume },
  { method: 'GET', path: '/v2/network-volumes/{id}', answer: oneVolume },
  { method: 'DELETE', path: '/v2/network-volumes/{id}', answer: removeVolume },
];

export const RUNPOD: Personality = {
  name: 'runpod',
  catalog: RUNPOD_CATALOG,
  loginUser: 'root',
  ids: { vm: () => hexId().slice(0, 14), volume: () => hexId().slice(0, 10) },
  newApiKey: () => `rpa_${hexId().toUpperCase()}`,
  authenticates: ({ headers }, apiKey) => headers.authorization === `Bearer ${apiKey}`,
  limits: [
    { calls: 60, seconds: 60, appliesTo: () => true },
    { calls: 3000, seconds: 3600, appliesTo: () => true },
  ],
  routes,
  refuse: refusedByRunpod,
  headers: allowanceHeaders,
};

function allowanceHeaders(allowance: CallAllowance | null): Readonly<Record<string, string>> {
  if (allowance === null) return {};
  const { limit, remaining } = allowance;
  return {
    ratelimit: `"minute";r=${remaining};t=60`,
    'ratelimit-policy': `"minute";q=${limit};w=60`,
  };
}

const ok = (body: unknown, status = 200): CloudAnswer => ({ status, body });
const NOTHING: CloudAnswer = { status: 204, body: null };

/** Filters of availability need it, and it needs a product. */
function asksAvailability({ query }: CloudRequest, products: readonly string[]): boolean {
  const isAsked = query.get('include') === 'AVAILABILITY';
  const product = query.get('product');
  if (isAsked !== (product !== null) || (product !== null && !products.includes(product))) {
    throw new Refusal('conflict', 'include=AVAILABILITY and product belong together');
  }
  return isAsked;
}

function listGpus(call: CloudCall): CloudAnswer {
  const isAsked = asksAvailability(call, ['POD', 'CLUSTER', 'SERVERLESS']);
  const count = Number(call.query.get('count') ?? 1);
  if (!Number.isInteger(count) || count < 1) throw wrong('count', 'must be a positive number');
  return ok({ gpus: GPUS.map((one) => gpuForm(one, call.account, isAsked ? count : null)) });
}

function listCpus(call: CloudCall): CloudAnswer {
  const isAsked = asksAvailability(call, ['POD', 'SERVERLESS']);
  return ok({ cpus: CPUS.map((one) => cpuForm(one, call.account, isAsked)) });
}

const POD_FIELDS = [
  ...['name', 'cloud', 'dataCenterIds', 'gpu', 'cpu', 'disk', 'mounts', 'image', 'registry', 'env'],
  ...['entrypoint', 'cmd', 'ports', 'globalNetworking', 'startSsh', 'startJupyter', 'args'],
];
const GPU_FIELDS = [
  'id',
  'count',
  'allowedCudaVersions',
  'minCudaVersion',
  'minRamPerGpu',
  'minVcpuCountPerGpu',
];

function createPod({ account, body }: CloudCall): CloudAnswer {
  const fields = only(fieldsOf(body), POD_FIELDS);
  const type = account.requireType(typeOf(fields));
  const wanted = textList(fields, 'dataCenterIds').map((one) => account.requireRegion(one));
  const regions = wanted.length > 0 ? wanted : type.regions;
  const open = regions.find((one) => account.vms.capacity.leftOf(type, one) > 0);
  const name = textField(fields, 'name');
  const disk = fields.disk === undefined ? 50 : wholeField(fields, 'disk', 1, 100_000);
  const registry = optionalText(fields, 'registry');
  const ports = textList(fields, 'ports');
  const container = containerOf(fields, registry === null ? null : authOf(account, registry));
  for (const { id } of container.volumes) account.volumes.require(id);
  const region = open ?? regions[0] ?? '';
  const tags = [
    { key: 'disk', value: String(disk) },
    ...(registry === null ? [] : [{ key: 'registry', value: registry }]),
    ...(ports.length === 0 ? [] : [{ key: 'ports', value: ports.join(' ') }]),
  ] satisfies CloudTag[];
  const vm = account.vms.create({
    ...{ name, type, region, tags, container, image: container.image },
    ...{ keys: [], userData: null, isPublic: false },
  });
  return ok(podForm(vm), 201);
}

/** Exactly one of `gpu` and `cpu`. */
function typeOf({ gpu, cpu }: Fields): string {
  if ((gpu === undefined) === (cpu === undefined)) {
    throw new Refusal('conflict', 'exactly one of gpu or cpu must be set');
  }
  if (cpu !== undefined) {
    const fields = only(fieldsOf(cpu), ['id', 'vcpuCount']);
    return cpuTypeName(textField(fields, 'id'), wholeField(fields, 'vcpuCount', 2, 64));
  }
  const fields = only(fieldsOf(gpu), GPU_FIELDS);
  const count = fields.count === undefined ? 1 : wholeField(fields, 'count', 1, 64);
  const id = textField(fields, 'id');
  const one = GPUS.find((listed) => listed.id === id);
  // Filters of hosts.
  const ram =
    fields.minRamPerGpu === undefined ? 1 : wholeField(fields, 'minRamPerGpu', 1, 100_000);
  const vcpus =
    fields.minVcpuCountPerGpu === undefined ? 1 : wholeField(fields, 'minVcpuCountPerGpu', 1, 1000);
  if (one && (ram > one.ramGb || vcpus > one.vcpus))
    throw new Refusal('no_capacity', 'no such host');
  return gpuTypeName(id, count);
}

function containerOf(fields: Fields, registryAuth: HostContainer['registryAuth']): HostContainer {
  const { env = {}, mounts = {} } = fields;
  const { network = [] } = only(fieldsOf(mounts), ['persistent', 'network']);
  if (!Array.isArray(network) || network.length > 1)
    throw wrong('mounts.network', 'has one item at most');
  return {
    ...{ image: textField(fields, 'image'), registryAuth },
    ...{ entrypoint: textList(fields, 'entrypoint'), command: textList(fields, 'cmd') },
    environment: Object.fromEntries(
      Object.entries(fieldsOf(env)).map(([key]) => [key, String(fieldsOf(env)[key])]),
    ),
    volumes: network.map((item: unknown) => {
      const mount = only(fieldsOf(item), ['volumeId', 'path']);
      return { id: textField(mount, 'volumeId'), path: textField(mount, 'path') };
    }),
  };
}

function only(fields: Fields, names: readonly string[]): Fields {
  for (const name of Object.keys(fields)) {
    if (!names.includes(name)) throw wrong(name, 'additional properties are not allowed');
  }
  return fields;
}

/** As events; the real stream stays open. */
function podLogs({ account, params }: CloudCall): CloudAnswer {
  const { problem } = account.vms.require(params.id ?? '');
  const events = (problem ?? '').split('\n').filter((line) => line !== '');
  const text = events.map((line) => `data: ${JSON.stringify({ source: 'container', line })}\n\n`);
  return {
    status: 200,
    body: null,
    text: text.join(''),
    headers: { 'content-type': 'text/event-stream' },
  };
}
