/**
 * Why work has no place, as data: placement writes it, the API and `explain` show it, programs may
 * switch on `rule`. Ours: dstack 0.22.5 knows only texts.
 */
import type * as z from 'zod';
import { tagged } from '../configuration/schema-kit.ts';
import { Flag, Integer, listOf, literal, model, nullable, Text, words } from './scalars.ts';

/**
 * The rules by which an instance, an offer or a fleet does not serve; a closed list. Properties of
 * the configuration language keep their spelling.
 */
export const RULES = [
  // Requirements that the machine does not meet.
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
  // What this kind of machine cannot do.
  'nodes',
  'docker',
  'privileged',
  'volumes',
  'registry_auth',
  'blocks',
  // The state of an existing instance.
  'busy',
  'gpus_taken',
  'held',
  'unreachable',
  'unhealthy',
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
  'no_offers',
  'no_machines',
  'not_available',
  'local_limit',
] as const;
export const Rule = words(RULES);
export type Rule = z.infer<typeof Rule>;

/**
 * A rule with what the run asked for and what there is, both in the words of the configuration.
 * `count`: how many instances or offers it excluded. `property`: which one of a fleet's excludes the
 * run's (`excluded` only).
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
 * `never`: the fleet cannot take the run, whatever becomes free there. `full`: it can once something
 * is free, usable again, or offered.
 */
export const Verdict = words(['never', 'full']);
export type Verdict = z.infer<typeof Verdict>;

/** One fleet that does not take the run now: why its instances do not, why it gets no new one. */
export const FleetRefusal = model({
  /** `project/name` where it is imported. */
  fleet: Text,
  verdict: Verdict,
  pool: listOf(Finding),
  growth: nullable(Finding),
});
export type FleetRefusal = z.infer<typeof FleetRefusal>;

export const Refusal = tagged('kind', {
  'no-fleets': model({ kind: literal('no-fleets') }),
  'fleets-missing': model({ kind: literal('fleets-missing'), names: listOf(Text) }),
  'fleet-deleted': model({ kind: literal('fleet-deleted') }),
  /** `nodes` are needed at once; `selected`: the run allows named instances only. */
  'no-place': model({
    kind: literal('no-place'),
    nodes: Integer,
    selected: Flag,
    fleets: listOf(FleetRefusal),
  }),
});
export type Refusal = z.infer<typeof Refusal>;
