/**
 * Every difference between our responses and what older clients of dstack understand, in one place,
 * with the version that each is for. Pure: values are copied where they differ.
 */
import type { EndpointName } from './endpoints.ts';
import { type ClientVersion, olderThan } from './version-check.ts';

type Json = Record<string, unknown>;
type Adapt = (value: Json, client: ClientVersion | null) => Json;

/** The response in the form that this client can read. */
export function adaptResponse(
  endpoint: EndpointName,
  body: unknown,
  client: ClientVersion | null,
): unknown {
  const adapt = RESPONSES[endpoint];
  return adapt === undefined ? body : adapt(body, client);
}

/** The request in the form of the newest client; `body` is raw, not validated yet. */
export function adaptRequest(
  endpoint: EndpointName,
  body: unknown,
  client: ClientVersion | null,
): unknown {
  const adapt = REQUESTS[endpoint];
  return adapt === undefined || !isObject(body) ? body : adapt(body, client);
}

type AdaptAny = (value: unknown, client: ClientVersion | null) => unknown;

const one =
  (adapt: Adapt): AdaptAny =>
  (value, client) =>
    isObject(value) ? adapt(value, client) : value;

const each =
  (adapt: Adapt): AdaptAny =>
  (value, client) =>
    Array.isArray(value) ? value.map((item) => one(adapt)(item, client)) : value;

/** Clients before 0.22.0 accept only the bare list. */
const bareList =
  (key: string): AdaptAny =>
  (value, client) =>
    isObject(value) && olderThan(client, '0.22.0') ? value[key] : value;

const RESPONSES: Partial<Record<EndpointName, AdaptAny>> = {
  'runs.list': each(run),
  'runs.get': one(run),
  'runs.apply': one(run),
  'runs.get_plan': one(runPlan),
  'fleets.list': each(fleet),
  'fleets.list_all': each(fleet),
  'fleets.get': one(fleet),
  'fleets.apply': one(fleet),
  'fleets.get_plan': one(fleetPlan),
  'gateways.list': each(gateway),
  'gateways.get': one(gateway),
  'gateways.apply': one(gateway),
  'gateways.create': one(gateway),
  'gateways.set_wildcard_domain': one(gateway),
  'gateways.get_plan': one(gatewayPlan),
  'exports.list': bareList('exports'),
  'imports.list': bareList('imports'),
};

const REQUESTS: Partial<Record<EndpointName, Adapt>> = {
  'runs.get_plan': (body, client) =>
    offersOnly(
      at(body, 'run_spec', (spec) => inputRunSpec(spec, client)),
      client,
    ),
  'runs.apply': (body, client) =>
    at(body, 'plan', (plan) => at(plan, 'run_spec', (spec) => inputRunSpec(spec, client))),
  'gateways.get_plan': (body, client) =>
    at(body, 'spec', (spec) => at(spec, 'configuration', (c) => inputGateway(c, client))),
  'gateways.apply': (body, client) =>
    at(body, 'plan', (plan) => {
      const spec = (value: Json) => at(value, 'configuration', (c) => inputGateway(c, client));
      return at(at(plan, 'spec', spec), 'current_resource', spec);
    }),
  'gateways.create': (body, client) => at(body, 'configuration', (c) => inputGateway(c, client)),
};

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A copy with `key` changed; the same object if nothing changes. */
function at(value: Json, key: string, change: (inner: Json) => Json): Json {
  const inner = value[key];
  if (!isObject(inner)) return value;
  const changed = change(inner);
  return changed === inner ? value : { ...value, [key]: changed };
}

function run(value: Json, client: ClientVersion | null): Json {
  return at(value, 'run_spec', (spec) => runSpec(spec, client));
}

function runPlan(value: Json, client: ClientVersion | null): Json {
  let plan = at(value, 'run_spec', (spec) => runSpec(spec, client));
  plan = at(plan, 'effective_run_spec', (spec) => runSpec(spec, client));
  return at(plan, 'current_resource', (current) => run(current, client));
}

function runSpec(value: Json, client: ClientVersion | null): Json {
  const spec = at(value, 'configuration', (configuration) =>
    runConfiguration(configuration, client),
  );
  return at(spec, 'profile', (profile) => withFleetNames(profile, client));
}

function runConfiguration(value: Json, client: ClientVersion | null): Json {
  const configuration = withFleetNames(value, client);
  if (configuration.type === 'task') return task(configuration, client);
  return configuration.type === 'service' ? service(configuration, client) : configuration;
}

/** Clients that state a version expect a plain number of nodes. */
function task(value: Json, client: ClientVersion | null): Json {
  const hasGroups = Array.isArray(value.groups);
  return client !== null && value.nodes === null && !hasGroups ? { ...value, nodes: 1 } : value;
}

function service(value: Json, client: ClientVersion | null): Json {
  const changes: Json = {};
  if (olderThan(client, '0.20.8') && value.probes === null) changes.probes = [];
  if (olderThan(client, '0.20.12') && value.https === null) changes.https = true;
  if (olderThan(client, '0.20.20') && isObject(value.gateway)) {
    changes.gateway = referenceText(value.gateway);
  }
  if (Array.isArray(value.groups)) {
    const groups = value.groups.map((group) => (isObject(group) ? replicaGroup(group) : group));
    // Until 0.21.3 the groups were under `replicas`, with `count` for the number of replicas.
    if (olderThan(client, '0.21.3')) {
      changes.replicas = groups.map((group) => (isObject(group) ? legacyGroup(group) : group));
      changes.groups = null;
    } else changes.groups = groups;
  }
  return Object.keys(changes).length === 0 ? value : { ...value, ...changes };
}

/** Every client up to 0.23 receives the old name of the router. */
function replicaGroup(group: Json): Json {
  return at(group, 'router', (router) =>
    router.type === 'smg' ? { ...router, type: 'sglang' } : router,
  );
}

function legacyGroup(group: Json): Json {
  const { replicas, ...rest } = group;
  return { ...rest, count: replicas };
}

/** Until 0.20.14 a fleet was referred to by a plain string. */
function withFleetNames(value: Json, client: ClientVersion | null): Json {
  if (!olderThan(client, '0.20.14') || !Array.isArray(value.fleets)) return value;
  return {
    ...value,
    fleets: value.fleets.map((fleet) => (isObject(fleet) ? referenceText(fleet) : fleet)),
  };
}

function referenceText(reference: Json): string {
  const name = String(reference.name);
  return typeof reference.project === 'string' ? `${reference.project}/${name}` : name;
}

function fleet(value: Json, client: ClientVersion | null): Json {
  return at(value, 'spec', (spec) => fleetSpec(spec, client));
}

function fleetSpec(value: Json, client: ClientVersion | null): Json {
  return at(value, 'profile', (profile) => withFleetNames(profile, client));
}

function fleetPlan(value: Json, client: ClientVersion | null): Json {
  let plan = at(value, 'spec', (spec) => fleetSpec(spec, client));
  plan = at(plan, 'effective_spec', (spec) => fleetSpec(spec, client));
  return at(plan, 'current_resource', (current) => fleet(current, client));
}

function gatewayPlan(value: Json, client: ClientVersion | null): Json {
  const spec = (inner: Json) => at(inner, 'configuration', (c) => gatewayConfiguration(c, client));
  let plan = at(value, 'spec', spec);
  plan = at(plan, 'effective_spec', spec);
  return at(plan, 'current_resource', (current) => gateway(current, client));
}

function gateway(value: Json, client: ClientVersion | null): Json {
  let result = at(value, 'configuration', (c) => gatewayConfiguration(c, client));
  const replicas = Array.isArray(result.replicas) ? result.replicas.filter(isObject) : [];
  if (olderThan(client, '0.20.25')) {
    const addresses = replicas.map((replica) => replica.hostname).filter((name) => name !== null);
    const address = addresses.join('\n');
    result = {
      ...result,
      instance_id: '',
      ip_address: address,
      hostname: result.hostname ?? address,
    };
  } else if (olderThan(client, '0.20.27')) {
    const configuration = isObject(result.configuration) ? result.configuration : {};
    result = {
      ...result,
      replicas: replicas.map((replica) => ({
        ...replica,
        hostname: replica.hostname ?? '',
        region: replica.region ?? '',
        backend: replica.backend ?? configuration.backend,
      })),
    };
  }
  return result;
}

function gatewayConfiguration(value: Json, client: ClientVersion | null): Json {
  return olderThan(client, '0.21.1') && value.default === null
    ? { ...value, default: false }
    : value;
}

/** 0.20.27 to 0.20.29 send `router: null`; before 0.21.1 false meant "not stated". */
function inputGateway(value: Json, client: ClientVersion | null): Json {
  let configuration = value;
  if ('router' in configuration && configuration.router === null) {
    const { router: _dropped, ...rest } = configuration;
    configuration = rest;
  }
  const isUnstated = olderThan(client, '0.21.1') && configuration.default === false;
  return isUnstated ? { ...configuration, default: null } : configuration;
}

/** Before 0.19.27 commands started in the repo's directory. */
function inputRunSpec(value: Json, client: ClientVersion | null): Json {
  if (!olderThan(client, '0.19.27')) return value;
  return at(value, 'configuration', (configuration) =>
    configuration.working_dir == null
      ? { ...configuration, working_dir: '/workflow' }
      : configuration,
  );
}

/** Before 0.21.0 `dstack offer` could be recognised only by its command. */
function offersOnly(body: Json, client: ClientVersion | null): Json {
  if (!olderThan(client, '0.21.0')) return body;
  const spec = body.run_spec;
  const configuration = isObject(spec) ? spec.configuration : null;
  if (!isObject(configuration) || configuration.type !== 'task') return body;
  const commands = configuration.commands;
  const isQuery = Array.isArray(commands) && commands.length === 1 && commands[0] === ':';
  return isQuery ? { ...body, for_offers_only: true } : body;
}
