import * as z from 'zod';
import { isAnyNumber } from '../grammar/number-text.ts';
import { Problem, quote } from '../grammar/problem.ts';
import { Autoscaling } from './autoscaling.ts';
import { CustomHosts } from './custom-hosts.ts';
import { groupList } from './groups.ts';
import { HeldRequests } from './held-requests.ts';
import { MOST_FINDINGS } from './issue.ts';
import { describeJson } from './json-form.ts';
import { Liveness } from './liveness.ts';
import { Mirror } from './mirror.ts';
import { ServicePort } from './port-mapping.ts';
import { EntityReference } from './references.ts';
import { checkScaling, ReplicaGroup } from './replica-group.ts';
import { type Break, checkImageChoice, withRules } from './rules.ts';
import { runShape } from './run-base.ts';
import { bool, optional, ours, readBool, string } from './scalars.ts';
import { choice, closed, isMap, named, oneOf, type Reader } from './schema-kit.ts';
import {
  ChatModel,
  HttpsChoice,
  PartitioningKey,
  Probes,
  RateLimits,
  Replicas,
  Rollout,
  ScalingSpec,
} from './service-parts.ts';

const GatewayFlag = bool();

/**
 * `false` = none, `true` = the default gateway, or a gateway. Words for booleans are read as
 * booleans.
 */
export const ServiceGateway: Reader<boolean | EntityReference> = oneOf<boolean | EntityReference>(
  (value) => {
    if (!(readBool(value) instanceof Problem)) return GatewayFlag;
    if (typeof value === 'string' || isAnyNumber(value) || isMap(value)) return EntityReference;
    return new Problem(`must be true, false, 'name' or 'project/name', got ${quote(value)}`);
  },
  (ref) => ({ anyOf: [{ type: 'boolean' }, ref(EntityReference), { type: 'string' }] }),
  (ref) => ({ anyOf: [{ type: 'boolean' }, ref(EntityReference)] }),
);

const ServiceModel = named(
  'ServiceConfiguration',
  withRules(
    closed({
      port: ServicePort,
      protocol: ours(choice(['http', 'grpc'])),
      gateway: optional(ServiceGateway),
      hosts: ours(CustomHosts),
      strip_prefix: bool().default(true),
      model: optional(ChatModel),
      https: optional(HttpsChoice),
      auth: bool().default(true),
      scaling: optional(ScalingSpec),
      autoscaling: ours(Autoscaling),
      rate_limits: RateLimits.default([]),
      affinity: ours(PartitioningKey),
      held_requests: ours(HeldRequests),
      mirror: ours(Mirror),
      rollout: ours(Rollout),
      probes: optional(Probes),
      liveness: ours(Liveness),
      replicas: optional(Replicas),
      groups: optional(groupList(ReplicaGroup)),
      commands: z.array(string()).default([]),
      type: choice(['service'], 'literal_error').default('service'),
      ...runShape,
    }),
    (service, broken) => {
      checkImageChoice(service, broken);
      if (service.protocol === 'grpc') checkGrpc(service, broken);
      if (service.groups) checkGroups(service, service.groups, broken);
      else checkSingle(service, broken);
      if (service.mirror != null && service.mirror.service === service.name) {
        broken(['mirror'], 'must name another service of the project, not this one');
      }
    },
  ),
);
type Service = z.infer<typeof ServiceModel>;

/**
 * A service. Before 0.21.3 the list of groups was under `replicas`; that spelling is accepted too
 * and becomes `groups`.
 */
export const ServiceConfiguration: Reader<Service> = named(
  'ServiceConfiguration',
  describeJson(
    z.unknown().transform((value, ctx): Service => {
      const isLegacy =
        isMap(value) && Array.isArray(value.replicas) && (value.groups ?? null) === null;
      const document = isLegacy ? { ...value, groups: value.replicas, replicas: null } : value;
      const result = ServiceModel.safeParse(document);
      if (result.success) return result.data;
      for (const issue of result.error.issues.slice(0, MOST_FINDINGS)) {
        const [first, ...rest] = issue.path;
        const path = isLegacy && first === 'groups' ? ['replicas', ...rest] : issue.path;
        ctx.issues.push({ ...issue, input: value, path } as never);
      }
      return z.NEVER;
    }),
    (ref) => ref(ServiceModel),
  ),
);
export type ServiceConfiguration = Service;

/** Refuses keys that need requests of HTTP/1.1. */
function checkGrpc(service: Service, broken: Break): void {
  const set: [string, boolean][] = [
    ['model', service.model !== null],
    ['probes', (service.probes?.length ?? 0) > 0],
    ['liveness', (service.liveness ?? null) !== null],
    ['mirror', (service.mirror ?? null) !== null],
  ];
  for (const [key] of set.filter(([, isSet]) => isSet)) {
    broken([key, 'protocol'], `can't have ${key} beside protocol: grpc, which answers gRPC only`);
  }
}

function checkSingle(service: Service, broken: Break): void {
  if (!service.image && service.commands?.length === 0) {
    broken(
      ['commands', 'image', 'groups'],
      'needs commands to run, or an image that starts a server by itself',
    );
  }
  if (service.replicas) checkScaling(service.replicas, service, broken);
}

function checkGroups(service: Service, groups: readonly ReplicaGroup[], broken: Break): void {
  if (service.replicas !== null) {
    broken(['replicas', 'groups'], "can't have replicas beside groups: set replicas in each group");
  }
  if (service.scaling !== null) {
    broken(['scaling', 'groups'], "can't have scaling beside groups: set scaling in each group");
  }
  if ((service.autoscaling ?? null) !== null) {
    const message = "can't have autoscaling beside groups: set autoscaling in each group";
    broken(['autoscaling', 'groups'], message);
  }
  if (service.commands?.length > 0) {
    broken(['commands', 'groups'], "can't have commands beside groups: set commands in each group");
  }
  checkLevels(service, groups, broken);
  const idle = groups.filter((group) => group.commands.length === 0 && !group.image);
  if (idle.length > 0 && !service.image) {
    const names = idle.map((group) => group.name).join(', ');
    broken(['groups', 'image'], `needs commands or an image in each group; missing in: ${names}`);
  }
  checkRouter(groups, broken);
}

const LEVEL_KEYS = [
  'image',
  'docker',
  'privileged',
  'python',
  'nvcc',
  'spot_policy',
  'reservation',
] as const;

/** A key that a service sets for all groups excludes these keys within the groups. */
const EXCLUDED_IN_GROUPS = {
  image: ['docker', 'python', 'nvcc'],
  docker: ['image', 'python', 'nvcc'],
  python: ['image', 'docker'],
  nvcc: ['image', 'docker'],
} as const;

function checkLevels(service: Service, groups: readonly ReplicaGroup[], broken: Break): void {
  for (const key of LEVEL_KEYS) {
    if (!isChosen(service[key])) continue;
    const both = groups.filter((group) => group[key] !== null);
    if (both.length > 0) {
      broken([key, 'groups'], `has ${key} in the service and in group ${names(both)}: keep one`);
    }
  }
  for (const [key, excluded] of Object.entries(EXCLUDED_IN_GROUPS)) {
    if (!isChosen(service[key as keyof typeof EXCLUDED_IN_GROUPS])) continue;
    for (const other of excluded) {
      const clash = groups.filter((group) => isChosen(group[other]));
      if (clash.length > 0) {
        broken([key, 'groups'], `can't have ${key} with ${other} in group ${names(clash)}`);
      }
    }
  }
}

/** A flag counts only if it is true. */
function isChosen(value: unknown): boolean {
  return value !== null && value !== undefined && value !== false && value !== '';
}

function names(groups: readonly ReplicaGroup[]): string {
  return groups.map((group) => group.name).join(', ');
}

function checkRouter(groups: readonly ReplicaGroup[], broken: Break): void {
  const routers = groups.filter((group) => group.router !== null);
  if (routers.length > 1) {
    broken(['groups'], `can't have more than one group with a router: ${names(routers)}`);
  }
  const [router] = routers;
  if (router && (router.replicas.min !== 1 || router.replicas.max !== 1)) {
    broken(['groups'], `needs exactly 1 replica in the group with the router (${router.name})`);
  }
}
