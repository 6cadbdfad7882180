/** The cost of jobs. Our addition. */
import * as z from 'zod';
import { choiceOf, DateTime, Float, model, nullable, Text } from './scalars.ts';

export const COST_GROUPS = ['run', 'user', 'project', 'day'] as const;
export const CostGroup = choiceOf(COST_GROUPS);
export type CostGroup = z.infer<typeof CostGroup>;

/** The fields that the rows are not grouped by are null. */
export const CostRow = model({
  /** `YYYY-MM-DD`, UTC. */
  day: nullable(Text),
  project_name: nullable(Text),
  username: nullable(Text),
  run_name: nullable(Text),
  /** USD. */
  cost: Float,
  /** Hours of jobs, waiting for their machines included, as in the costs of runs. */
  hours: Float,
});
export type CostRow = z.infer<typeof CostRow>;

export const CostReport = model({
  since: DateTime,
  until: DateTime,
  by: CostGroup,
  /** USD of all rows. */
  total: Float,
  /** The highest cost first; days in their order. */
  rows: z.array(CostRow),
});
export type CostReport = z.infer<typeof CostReport>;
