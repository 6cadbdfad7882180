/** The jobs on the instances of a fleet. Our addition. */
import type * as z from 'zod';
import { Integer, model, nullable, Text, Uuid } from './scalars.ts';

/**
 * A job that uses an instance. For a run of a project that the caller may not see, `run_id` and
 * `project_name` are null and `run_name` is `HIDDEN_RUN`. `blocks`: the job's share of the instance, null =
 * all of it.
 */
export const FleetJob = model({
  instance_id: Uuid,
  run_id: nullable(Uuid),
  run_name: Text,
  project_name: nullable(Text),
  blocks: nullable(Integer),
});
export type FleetJob = z.infer<typeof FleetJob>;
