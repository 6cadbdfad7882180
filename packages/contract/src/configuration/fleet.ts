import * as z from 'zod';
import { classifyIp, classifyNetwork } from '../grammar/ip.ts';
import { isAnyNumber } from '../grammar/number-text.ts';
import { parseSharedPath } from '../grammar/paths.ts';
import { Problem, quote } from '../grammar/problem.ts';
import { splitRange } from '../grammar/range.ts';
import { parseSshHost, parseSshIdentityFile, parseSshPort, parseSshUser } from '../grammar/ssh.ts';
import { duration } from './durations.ts';
import { Env } from './env.ts';
import { delegate, reportIssue } from './issue.ts';
import { describeJson } from './json-form.ts';
import { CronList, profileShape } from './profile.ts';
import { ResourcesSpec } from './resources.ts';
import {
  float,
  int,
  limited,
  optional,
  ours,
  readInt,
  readString,
  string,
  stringBy,
} from './scalars.ts';
import { choice, closed, isMap, named, oneOf, type Reader, reader } from './schema-kit.ts';

export const InstanceGroupPlacement = choice(['any', 'cluster'], 'enum', 'InstanceGroupPlacement');
export type InstanceGroupPlacement = z.infer<typeof InstanceGroupPlacement>;

/** Number of parts that an instance may be divided into; `auto` = one per GPU. */
export const Blocks: Reader<number | 'auto'> = reader<number | 'auto'>(
  (value) => {
    if (value === 'auto') return value;
    const blocks = limited(readInt(value), { ge: 1 });
    const message = `must be a whole number of 1 or more, or auto, got ${quote(value)}`;
    return blocks instanceof Problem ? new Problem(message, { type: blocks.type }) : blocks;
  },
  {
    anyOf: [
      { type: 'string', const: 'auto' },
      { type: 'integer', minimum: 1 },
    ],
  },
);

export const SSHKey = named('SSHKey', closed({ public: string(), private: optional(string()) }));
export type SSHKey = z.infer<typeof SSHKey>;

const SshHostName = stringBy(parseSshHost);
const SshUser = stringBy(parseSshUser);
const IdentityFile = stringBy(parseSshIdentityFile);
const SshPort: Reader<number> = reader(
  (value) => {
    const port = readInt(value);
    return port instanceof Problem ? port : parseSshPort(port);
  },
  { type: 'integer' },
);

export const SSHProxyParams = named(
  'SSHProxyParams',
  closed({
    hostname: SshHostName,
    port: optional(SshPort),
    user: SshUser,
    identity_file: IdentityFile,
    ssh_key: optional(SSHKey),
  }),
);
export type SSHProxyParams = z.infer<typeof SSHProxyParams>;

const InternalIp: Reader<string> = reader(
  (value) => {
    const text = readString(value);
    if (text instanceof Problem) return text;
    const kind = classifyIp(text);
    if (kind === 'private') return text;
    const what = kind === 'public' ? 'a private IP address' : 'an IP address';
    return new Problem(`must be ${what} like 10.0.0.5, got ${quote(text)}`);
  },
  { type: 'string' },
);

/** Ours: what a host costs its owner, in USD per hour. */
const HostPrice = float({ ge: 0 });

export const SSHHostParams = named(
  'SSHHostParams',
  closed({
    hostname: SshHostName,
    port: optional(SshPort),
    user: optional(SshUser),
    identity_file: optional(IdentityFile),
    proxy_jump: optional(SSHProxyParams),
    internal_ip: optional(InternalIp),
    ssh_key: optional(SSHKey),
    blocks: optional(Blocks),
    price: ours(HostPrice),
  }),
);
export type SSHHostParams = z.infer<typeof SSHHostParams>;

/** A host name or address, or a map with its own settings. */
export const SSHHost: Reader<string | SSHHostParams> = oneOf<string | SSHHostParams>(
  (value) => (isMap(value) ? SSHHostParams : SshHostName),
  (ref) => ({ anyOf: [ref(SSHHostParams), { type: 'string' }] }),
);

const PrivateNetwork: Reader<string> = reader(
  (value) => {
    const text = readString(value);
    if (text instanceof Problem) return text;
    const kind = classifyNetwork(text);
    if (kind === 'private') return text;
    const what = kind === 'public' ? 'a private network' : 'a network';
    return new Problem(`must be ${what} like 10.0.0.0/24, got ${quote(text)}`);
  },
  { type: 'string' },
);

export const SSHParams = named(
  'SSHParams',
  closed({
    user: optional(SshUser),
    port: optional(SshPort),
    identity_file: optional(IdentityFile),
    ssh_key: optional(SSHKey),
    proxy_jump: optional(SSHProxyParams),
    hosts: z.array(SSHHost),
    network: optional(PrivateNetwork),
    price: ours(HostPrice),
  }),
);
export type SSHParams = z.infer<typeof SSHParams>;

/** Sizes of a fleet. `target` is omitted if it equals `min`; `max` null = no limit. */
export interface FleetNodesSpec {
  min: number;
  target?: number;
  max: number | null;
}

const NodesModel = named(
  'FleetNodesSpec',
  closed({ min: optional(int()), target: optional(int()), max: optional(int()) }),
);

const JSON_NODES = { type: 'object', additionalProperties: false };
const INTEGER = { type: 'integer' };

/** `2`, `0..4`, `1..`, `..2` or `{min, target, max}`. */
export const FleetNodesSpec: Reader<FleetNodesSpec> = describeJson(
  z.unknown().transform((value, ctx): FleetNodesSpec => {
    const written = readNodes(value, ctx);
    if (ctx.issues.length > 0) return z.NEVER;
    const min = written.min ?? 0;
    const target = written.target ?? min;
    const { max } = written;
    for (const [problem, path] of nodesProblems(min, target, max))
      reportIssue(ctx, value, problem, path);
    return target === min ? { min, max } : { min, target, max };
  }),
  (ref) => ({ anyOf: [ref(NodesModel), INTEGER, { type: 'string' }] }),
  {
    ...JSON_NODES,
    properties: { min: INTEGER, target: INTEGER, max: { anyOf: [INTEGER, { type: 'null' }] } },
    required: ['min', 'max'],
  },
);
describeJson(NodesModel, {
  ...JSON_NODES,
  title: 'FleetNodesSpec',
  properties: {
    min: { ...INTEGER, title: 'Min' },
    target: { ...INTEGER, title: 'Target' },
    max: { anyOf: [INTEGER, { type: 'null' }], default: null, title: 'Max' },
  },
});

function readNodes(value: unknown, ctx: z.RefinementCtx): z.infer<typeof NodesModel> {
  if (isMap(value)) return delegate(ctx, NodesModel, value);
  if (typeof value === 'string' && value.includes('..')) {
    const parts = splitRange(value);
    if (!(parts instanceof Problem)) return delegate(ctx, NodesModel, parts);
    reportIssue(ctx, value, parts);
    return z.NEVER;
  }
  if (typeof value !== 'string' && typeof value !== 'boolean' && !isAnyNumber(value)) {
    const message = `must be a number like 2, a range like '0..4' or {min, target, max}, got ${quote(value)}`;
    reportIssue(ctx, value, new Problem(message, { type: 'model_type' }));
    return z.NEVER;
  }
  const one = delegate(ctx, int(), value, ['min']);
  return { min: one, target: one, max: one };
}

function nodesProblems(
  min: number,
  target: number,
  max: number | null,
): (readonly [Problem, readonly string[]])[] {
  if (min < 0) return [[new Problem(`must not be negative, got ${min}`), ['min']]];
  if (max !== null && max < min) {
    return [[new Problem(`has max (${max}) below min (${min})`), []]];
  }
  if (target < min) return [[new Problem(`has target (${target}) below min (${min})`), []]];
  if (max !== null && target > max) {
    return [[new Problem(`has target (${target}) above max (${max})`), []]];
  }
  return [];
}

/** Ours: what holds on the fleet in place of the server's settings; times in seconds. */
export const FleetPreemption = named(
  'FleetPreemption',
  closed({
    mode: optional(choice(['off', 'reclaim', 'priority'], 'enum', 'FleetPreemptionMode')),
    min_runtime: optional(duration({ ge: 0 })),
    grace: optional(duration({ ge: 1 })),
  }),
);
export type FleetPreemption = z.infer<typeof FleetPreemption>;

/** The shortest notice before a window: the grace of a job that is interrupted. */
const SHORTEST_LEAD = 60;

/**
 * Ours: regular times in which no job is on the fleet. A window begins when the schedule fires (UTC) and
 * lasts for `duration`; windows that overlap are one. `lead`: how long before a window jobs without a known
 * end are notified, and no others begin. Both in seconds.
 */
export const FleetMaintenance = named(
  'FleetMaintenance',
  closed({
    schedule: CronList,
    duration: duration({ ge: 60 }),
    lead: duration({ ge: SHORTEST_LEAD }).default(3600),
  }),
);
export type FleetMaintenance = z.infer<typeof FleetMaintenance>;

/**
 * A fleet of cloud instances (`nodes`) or of SSH hosts (`ssh_config`); the server requires exactly
 * one.
 */
export const FleetConfiguration = named(
  'FleetConfiguration',
  closed({
    type: choice(['fleet'], 'literal_error').default('fleet'),
    name: optional(string()),
    placement: optional(InstanceGroupPlacement),
    blocks: Blocks.default(1),
    nodes: optional(FleetNodesSpec),
    reservation: profileShape.reservation,
    resources: optional(ResourcesSpec),
    backends: profileShape.backends,
    regions: profileShape.regions,
    availability_zones: profileShape.availability_zones,
    instance_types: profileShape.instance_types,
    spot_policy: profileShape.spot_policy,
    retry: profileShape.retry,
    max_price: profileShape.max_price,
    idle_duration: profileShape.idle_duration,
    tags: profileShape.tags,
    backend_options: profileShape.backend_options,
    ssh_config: optional(SSHParams),
    // Ours: a directory that all hosts of an SSH fleet share, in which its volumes are kept.
    shared_volumes_path: ours(stringBy(parseSharedPath)),
    preemption: ours(FleetPreemption),
    maintenance: ours(FleetMaintenance),
    env: Env.default({}),
  }),
);
export type FleetConfiguration = z.infer<typeof FleetConfiguration>;
