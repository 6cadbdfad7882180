/**
 * Why a run cannot be placed, as data: placement stores it, the API and `explain` show it, programs
 * may switch on `rule`. An addition of ours: dstack 0.22.5 has texts only.
 */
import type * as z from 'zod';
import { tagged } from '../configuration/schema-kit.ts';
import {
  choiceOf,
  Flag,
  Float,
  Integer,
  listOf,
  literal,
  model,
  nullable,
  Text,
} from './scalars.ts';

/**
 * The rules by which an instance, an offer or a fleet is ruled out; a closed list. Rules about a
 * property of the configuration have its name.
 */
export const RULES = [
  // Requirements that the instance does not meet.
  'cpu',
  'cpu.arch',
  'memory',
  'disk',
  'gpu',
  'spot',
  'max_price',
  'reservation',
  // Places that the run or its fleet does not allow.
  'backends',
  'regions',
  'availability_zones',
  'instance_types',
  'instances',
  // Features that this kind of instance does not support.
  'nodes',
  'docker',
  'privileged',
  'volumes',
  // A named volume that is elsewhere, or attached to another instance.
  'volume_place',
  'volume_in_use',
  'registry_auth',
  'image',
  // Settings of the run for Slurm clusters that the node does not meet.
  'partition',
  'constraint',
  'qos',
  'blocks',
  // The state of an existing instance.
  'busy',
  'gpus_taken',
  'held',
  // Its connection was lost moments ago: its server may be restarting, for example.
  'reconnecting',
  'unreachable',
  'unhealthy',
  // It cannot start jobs now, and is tried again.
  'host_fault',
  // A person keeps new jobs off it.
  'cordoned',
  // Its fleet is in maintenance, or the run is not sure to end before a window.
  'maintenance',
  'not_ready',
  'ending',
  'fleet_spec',
  // Why the fleet gets no new instance.
  'placement',
  'nodes.max',
  'fixed_size',
  'imported',
  'creation_policy',
  'excluded',
  'site',
  'cluster_starting',
  'no_offers',
  'no_machines',
  'not_available',
  'local_limit',
] as const;
export const Rule = choiceOf(RULES);
export type Rule = z.infer<typeof Rule>;

/**
 * A rule with the requested and the present value, both as written in configurations. `count`: how
 * many instances or offers it ruled out. `property`: the property on which fleet and run disagree
 * (`excluded` only).
 */
export const Finding = model({
  rule: Rule,
  asked: nullable(Text),
  has: nullable(Text),
  count: nullable(Integer),
  property: nullable(Text),
});
export type Finding = z.infer<typeof Finding>;

/**
 * `never`: the fleet cannot take the run, whatever becomes free. `full`: it can, once something
 * becomes free, reachable or available.
 */
export const Verdict = choiceOf(['never', 'full']);
export type Verdict = z.infer<typeof Verdict>;

/** One fleet that cannot take the run now: `pool` is about its instances, `growth` about new ones. */
export const FleetRefusal = model({
  /** `project/name` if it is imported. */
  fleet: Text,
  verdict: Verdict,
  pool: listOf(Finding),
  growth: nullable(Finding),
});
export type FleetRefusal = z.infer<typeof FleetRefusal>;

/**
 * Why a volume cannot be mounted anywhere. `lost`: its backend does not have it any more.
 * `broken`: its backend reports that it cannot be used. `one_instance`: several nodes need it at once.
 */
export const VOLUME_PROBLEMS = [
  'missing',
  'deleting',
  'not_active',
  'lost',
  'broken',
  'one_instance',
] as const;
export const VolumeProblem = choiceOf(VOLUME_PROBLEMS);
export type VolumeProblem = z.infer<typeof VolumeProblem>;

/**
 * A quota that leaves too little. `resource`, `used`, `limit` as in `QuotaUse`; `needed`: by the whole gang. `of`: whose
 * quota it is. `held`: what is left is kept for a run that is ahead.
 */
export const QUOTA_OWNERS = ['project', 'user'] as const;

export const Refusal = tagged('kind', {
  'no-fleets': model({ kind: literal('no-fleets') }),
  'fleets-missing': model({ kind: literal('fleets-missing'), names: listOf(Text) }),
  'fleet-deleted': model({ kind: literal('fleet-deleted') }),
  quota: model({
    kind: literal('quota'),
    resource: Text,
    used: Float,
    limit: Float,
    needed: Float,
    of: choiceOf(QUOTA_OWNERS),
    fleet: nullable(Text),
    held: Flag,
  }),
  volume: model({ kind: literal('volume'), name: Text, problem: VolumeProblem }),
  /** `nodes`: needed at once; `selected`: the run names the instances that it may use. */
  'no-place': model({
    kind: literal('no-place'),
    nodes: Integer,
    selected: Flag,
    fleets: listOf(FleetRefusal),
  }),
});
export type Refusal = z.infer<typeof Refusal>;
