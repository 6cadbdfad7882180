import * as z from 'zod';
import { nearest } from '../grammar/nearest.ts';
import { Problem, quote } from '../grammar/problem.ts';
import { Autoscaling } from './autoscaling.ts';
import { GroupName } from './groups.ts';
import { describeJson } from './json-form.ts';
import { SpotPolicy } from './profile.ts';
import { defaultResources, ResourcesSpec } from './resources.ts';
import { type Break, checkImageChoice, withRules } from './rules.ts';
import { PythonVersion } from './run-base.ts';
import { bool, optional, ours, string } from './scalars.ts';
import { closed, isMap, named, type Reader, reader, shorthand } from './schema-kit.ts';
import { Replicas, ScalingSpec } from './service-parts.ts';

export const ROUTER_TYPES = ['smg', 'dynamo'] as const;

/** `smg` has its older name `sglang` in the API, which is accepted too. */
export const RouterType: Reader<'sglang' | 'dynamo'> = named(
  'RouterType',
  reader<'sglang' | 'dynamo'>(
    (value) => {
      if (value === 'smg' || value === 'sglang') return 'sglang';
      if (value === 'dynamo') return value;
      const suggestion = typeof value === 'string' ? nearest(value, ROUTER_TYPES) : undefined;
      return new Problem(`must be one of smg, dynamo, got ${quote(value)}`, {
        type: 'enum',
        ctx: { expected: "'smg' or 'dynamo'" },
        ...(suggestion === undefined ? {} : { suggestion }),
      });
    },
    { type: 'string', enum: [...ROUTER_TYPES] },
    { type: 'string', enum: ['sglang', 'dynamo'] },
  ),
);
export type RouterType = z.infer<typeof RouterType>;

/** The written name and the sent name differ, also for the default. */
const RouterTypeOrDefault = describeJson(
  RouterType.default('sglang'),
  (ref) => ({ ...ref(RouterType), default: 'smg' }),
  (ref) => ref(RouterType),
);

export const ReplicaGroupRouterConfig = named(
  'ReplicaGroupRouterConfig',
  closed({ type: RouterTypeOrDefault }),
);
export type ReplicaGroupRouterConfig = z.infer<typeof ReplicaGroupRouterConfig>;

const GroupModel = named(
  'ReplicaGroup',
  withRules(
    closed({
      name: GroupName,
      replicas: Replicas,
      scaling: optional(ScalingSpec),
      autoscaling: ours(Autoscaling),
      resources: ResourcesSpec.default(defaultResources),
      spot_policy: optional(SpotPolicy),
      reservation: optional(string()),
      commands: z.array(string()).default([]),
      image: optional(string()),
      python: optional(PythonVersion),
      nvcc: optional(bool()),
      docker: optional(bool()),
      privileged: optional(bool()),
      router: optional(ReplicaGroupRouterConfig),
    }),
    (group, broken) => {
      checkImageChoice(group, broken);
      if (group.docker === true && group.privileged === false) {
        const message = "can't be false with docker: true, which needs it";
        broken(['docker', 'privileged'], message, ['privileged']);
      }
      if (group.replicas) checkScaling(group.replicas, group, broken);
    },
  ),
);

/** Replicas of one kind within a service. The older key `count` means `replicas`. */
export const ReplicaGroup = shorthand(GroupModel, renameCount, (ref) => ref(GroupModel));
export type ReplicaGroup = z.infer<typeof ReplicaGroup>;

function renameCount(value: unknown): unknown {
  if (!isMap(value) || !('count' in value)) return value;
  const { count, ...rest } = value;
  return 'replicas' in rest ? rest : { ...rest, replicas: count };
}

/** A real range of replicas needs `scaling` or `autoscaling`, a fixed number excludes both. */
export function checkScaling(
  replicas: { readonly min: number; readonly max: number },
  { scaling, autoscaling }: { readonly scaling: unknown; readonly autoscaling?: unknown },
  broken: Break,
): void {
  const isRange = replicas.min !== replicas.max;
  const given = [
    ...((scaling ?? null) === null ? [] : ['scaling']),
    ...((autoscaling ?? null) === null ? [] : ['autoscaling']),
  ];
  if (isRange && given.length === 0) {
    broken(
      ['replicas', 'scaling', 'autoscaling'],
      'has a range of replicas without scaling: add scaling: {metric: rps, target: 10}, or autoscaling, or fix the number of replicas',
    );
  }
  if (isRange) return;
  for (const key of given) {
    broken(
      ['replicas', key],
      `has ${key} with a fixed number of replicas (${replicas.min}): write a range like '1..4', or remove ${key}`,
    );
  }
}
