/** The costs of runs and machines. Our addition. */
import * as z from 'zod';
import { choiceOf, DateTime, Float, model, nullable, Text } from './scalars.ts';

export const COST_GROUPS = ['run', 'user', 'project', 'fleet', 'gpu', 'tag', 'day'] as const;
export const CostGroup = choiceOf(COST_GROUPS);
export type CostGroup = z.infer<typeof CostGroup>;

/** The fields that the rows are not grouped by are null. */
export const CostRow = model({
  /** `YYYY-MM-DD`, UTC. */
  day: nullable(Text),
  project_name: nullable(Text),
  username: nullable(Text),
  run_name: nullable(Text),
  fleet_name: nullable(Text),
  /** Empty: machines without GPUs. */
  gpu: nullable(Text),
  /** The value of the tag; empty: runs without it. */
  tag: nullable(Text),
  /** USD, of jobs on machines with a known price; null: no price was known. */
  cost: nullable(Float),
  /** Hours in which jobs held machines, or parts of them. */
  hours: Float,
  gpu_hours: Float.default(0),
  /** Those of the hours whose price is not known: they are not in `cost`. */
  unpriced_hours: Float.default(0),
  /** USD of machines of the projects while no job held them. */
  idle_cost: Float.default(0),
  /** GPU hours of them. */
  idle_gpu_hours: Float.default(0),
});
export type CostRow = z.infer<typeof CostRow>;

export const CostReport = model({
  since: DateTime,
  until: DateTime,
  by: CostGroup,
  /** USD of jobs. */
  total: Float,
  /** USD of machines without jobs; rows of runs, users and tags have no part of it. */
  idle_total: Float.default(0),
  /** The highest cost first; days in their order. */
  rows: z.array(CostRow),
});
export type CostReport = z.infer<typeof CostReport>;
