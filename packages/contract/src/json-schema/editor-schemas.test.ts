import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  configurationJsonSchema,
  profilesJsonSchema,
  serverConfigJsonSchema,
} from './editor-schemas.ts';

type Json = { [key: string]: unknown };

function published(file: string): Json {
  return JSON.parse(readFileSync(new URL(`../../testdata/${file}`, import.meta.url), 'utf8'));
}

/** Keywords that do not affect which documents are accepted. */
const NOTES = new Set(['title', 'description', 'default', '$schema']);
const UNORDERED = new Set(['anyOf', 'oneOf', 'required', 'enum']);

/** Converts a schema into a form in which equal meaning is equal text. */
function normalize(value: unknown, isProperties = false): unknown {
  if (Array.isArray(value)) return value.map((item) => normalize(item));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .filter(([key]) => isProperties || !NOTES.has(key))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, item]): [string, unknown] => {
      const plain = normalize(item, !isProperties && (key === 'properties' || key === '$defs'));
      return [key, UNORDERED.has(key) && Array.isArray(plain) ? sorted(plain) : plain];
    });
  return joinConstants(Object.fromEntries(entries));
}

function sorted(list: readonly unknown[]): unknown[] {
  return [...list].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

/** Alternatives of one constant each mean the same as an enum. */
function joinConstants(schema: Json): Json {
  if (!Array.isArray(schema.anyOf)) return schema;
  const constants = schema.anyOf.filter((branch) => branch.type === 'string' && 'const' in branch);
  if (constants.length < 2) return schema;
  const rest = schema.anyOf.filter((branch) => !constants.includes(branch));
  const values = sorted(constants.map((branch) => branch.const));
  return { ...schema, anyOf: sorted([...rest, { enum: values, type: 'string' }]) };
}

function withoutPaths(schema: Json, paths: readonly string[]): Json {
  const copy = structuredClone(schema);
  for (const path of paths) {
    const keys = path.split('/');
    const last = keys.pop() as string;
    const parent = keys.reduce<Json | undefined>((node, key) => node?.[key] as Json, copy);
    if (parent) delete parent[last];
  }
  return copy;
}

/** Keys that dstack 0.22.5 does not have, with the reason. */
const OURS: Readonly<Record<string, string>> = {
  '$defs/RemoteVolumeConfiguration': 'volumes on SSH hosts and on the machine of the server',
  '$defs/VolumeConfiguration/discriminator/mapping/remote': 'the same',
  '$defs/KubernetesVolumeConfiguration/properties/availability_zone':
    'the wire form of such a volume, with the instance that holds it',
  '$defs/FleetConfiguration/properties/shared_volumes_path':
    'where volumes lie that all hosts of an SSH fleet can use',
  '$defs/FleetConfiguration/properties/preemption':
    'when jobs on the fleet may have to leave for others',
  '$defs/FleetPreemption': 'the same',
  '$defs/FleetConfiguration/properties/maintenance': 'regular times without jobs',
  '$defs/FleetMaintenance': 'the same',
  '$defs/FleetPreemptionMode': 'the same',
  '$defs/SSHParams/properties/price': 'what the hosts of an SSH fleet cost their owner',
  '$defs/SSHHostParams/properties/price': 'the same of one host',
  '$defs/ServiceConfiguration/properties/rollout': 'how the replicas of an update replace others',
  '$defs/Rollout': 'the same',
  '$defs/ServiceConfiguration/properties/autoscaling': 'scaling by other figures than requests',
  '$defs/ReplicaGroup/properties/autoscaling': 'the same',
  '$defs/ServiceConfiguration/properties/hosts':
    'further host names at the gateway, also with paths',
  '$defs/ServiceConfiguration/properties/protocol': 'what the app speaks: HTTP or gRPC',
  '$defs/ServiceConfiguration/properties/affinity': 'which requests go to the same replica',
  '$defs/ServiceConfiguration/properties/held_requests':
    'how long requests wait for the first replica, and how many',
  '$defs/HeldRequests': 'the same',
  '$defs/ServiceConfiguration/properties/mirror': 'copies of requests for another service',
  '$defs/Mirror': 'the same',
  '$defs/ServiceConfiguration/properties/liveness': 'when a replica is restarted',
  '$defs/Liveness': 'the same',
  '$defs/RpsAutoscaling': 'the same',
  '$defs/ConcurrencyAutoscaling': 'the same',
  '$defs/LatencyAutoscaling': 'the same',
  '$defs/GpuAutoscaling': 'the same',
  '$defs/PrometheusAutoscaling': 'the same',
  '$defs/TaskConfiguration/properties/depends_on': 'runs that have to end before it starts',
  '$defs/DevEnvironmentConfiguration/properties/depends_on': 'the same',
  '$defs/ServiceConfiguration/properties/depends_on': 'the same',
  '$defs/RunDependency': 'the same',
  '$defs/TaskConfiguration/properties/array': 'many runs of one task',
  '$defs/TaskArray': 'the same',
  '$defs/TaskConfiguration/properties/backend_settings': 'options of single kinds of backends',
  '$defs/DevEnvironmentConfiguration/properties/backend_settings': 'the same',
  '$defs/ServiceConfiguration/properties/backend_settings': 'the same',
  '$defs/BackendSettings': 'the same',
  '$defs/KubernetesSettings': 'the same',
  '$defs/KubernetesToleration': 'the same',
  '$defs/SlurmSettings': 'the same',
  '$defs/GatewayConfiguration/properties/backend_settings': 'the same of a gateway',
  '$defs/GatewayBackendSettings': 'the same',
  '$defs/GatewayConfiguration/properties/forbid_new_services': 'the switch for maintenance',
  '$defs/KubernetesGatewaySettings': 'the same',
  '$defs/KubernetesNodePorts': 'the same',
  '$defs/QuotaConfiguration': 'what projects and users may use',
  '$defs/QuotaGuarantee': 'the same',
  '$defs/QuotaLimit': 'the same',
  'discriminator/mapping/quota': 'the same',
};

/** The same of the server's configuration. */
const OURS_OF_SERVER: Readonly<Record<string, string>> = {
  '$defs/SlurmClusterFileConfig/properties/proxy_jump': 'a host in front of a login node',
  '$defs/SlurmProxyJumpFileConfig': 'the same',
  '$defs/KubernetesBackendFileConfigWithCreds/properties/price': 'what the nodes cost their owner',
  '$defs/SlurmBackendFileConfigWithCreds/properties/price': 'the same',
  '$defs/PriceRates': 'the same',
};

/** References to definitions of ours out of lists of alternatives. */
function withoutOurBranches(value: unknown): unknown {
  if (Array.isArray(value)) {
    const theirs = value.filter((item) => !isOurReference(item));
    return theirs.map((item) => withoutOurBranches(item));
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => [key, withoutOurBranches(item)]);
  return Object.fromEntries(entries);
}

const isOurReference = (item: unknown): boolean =>
  typeof item === 'object' &&
  item !== null &&
  '$ref' in item &&
  String(item.$ref).replace('#/', '') in OURS;

test('the schema of configurations accepts what the published one accepts', () => {
  // Ours requires `type`, without which no document can be applied. `min` and `target` of a fleet
  // may in fact be omitted. `model: null` means that a preset sets base or repo. A retry without
  // events is an error.
  const differences = [
    'required',
    'type',
    'additionalProperties',
    '$defs/FleetNodesSpec/required',
    '$defs/PresetConfiguration/properties/model',
    '$defs/ProfileRetry/properties/on_events',
  ];
  const ours = normalize(withoutOurBranches(configurationJsonSchema())) as Json;
  const theirs = normalize(published('configuration.schema.json')) as Json;
  const common = withoutPaths(ours, [...differences, ...Object.keys(OURS)]);
  expect(common).toEqual(withoutPaths(theirs, differences));
});

test('the schema of profiles accepts what the published one accepts', () => {
  const differences = ['$defs/ProfileRetry/properties/on_events'];
  const ours = normalize(profilesJsonSchema()) as Json;
  const theirs = normalize(published('profiles.schema.json')) as Json;
  expect(withoutPaths(ours, differences)).toEqual(withoutPaths(theirs, differences));
});

test('the schema of the server configuration accepts what the published one accepts', () => {
  const ours = normalize(serverConfigJsonSchema()) as Json;
  const common = withoutPaths(ours, Object.keys(OURS_OF_SERVER));
  expect(common).toEqual(normalize(published('server-config.schema.json')));
});

test('every key of ours is in the schema', () => {
  for (const [schema, keys] of [
    [configurationJsonSchema(), OURS],
    [serverConfigJsonSchema(), OURS_OF_SERVER],
  ] as const) {
    for (const path of Object.keys(keys)) {
      const found = path.split('/').reduce<unknown>((node, key) => (node as Json)?.[key], schema);
      expect(found, path).toBeDefined();
    }
  }
});

test('every reference leads to a definition', () => {
  for (const make of [configurationJsonSchema, profilesJsonSchema, serverConfigJsonSchema]) {
    const schema = make();
    const refs = [...JSON.stringify(schema).matchAll(/"\$ref":"#\/\$defs\/([^"]+)"/g)];
    expect(refs.length).toBeGreaterThan(10);
    for (const [, name] of refs) expect(schema.$defs).toHaveProperty([name as string]);
  }
});

test('defaults in the schema are those of the parser', () => {
  const { $defs } = configurationJsonSchema() as { $defs: Json };
  const task = $defs.TaskConfiguration as { properties: Record<string, Json> };
  expect(task.properties.home_dir).toMatchObject({ default: '/root' });
  expect(task.properties.resources).toMatchObject({
    default: { memory: { min: 8, max: null }, gpu: { count: { min: 0, max: null } } },
  });
});

test('keys have a description for the editor', () => {
  const { $defs } = configurationJsonSchema() as { $defs: Json };
  const task = $defs.TaskConfiguration as { properties: Record<string, Json> };
  expect(task.properties.max_duration?.description).toContain('2h');
});
