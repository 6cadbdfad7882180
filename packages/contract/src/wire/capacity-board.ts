/** The jobs on instances over time, for the capacity board. An addition of ours. */
import type * as z from 'zod';
import { DateTime, Integer, listOf, model, nullable, Text, Uuid } from './scalars.ts';

/**
 * A job on an instance, or one that ends there. For a run of a project that the caller may not see, `run_name` is
 * `HIDDEN_RUN`, and `run_id`, `project_name`, `user_name` and `job_name` are null. `blocks`: its share of the instance.
 * `since`: when it got its place. `until`: when it has ended at the latest by its `max_duration`, null = not known.
 * `leaves_at`: when it has to have left by the notice that it has, null = it has none.
 */
export const BoardJob = model({
  instance_id: Uuid,
  run_id: nullable(Uuid),
  run_name: Text,
  project_name: nullable(Text),
  user_name: nullable(Text),
  job_name: nullable(Text),
  blocks: Integer,
  since: nullable(DateTime),
  until: nullable(DateTime),
  leaves_at: nullable(DateTime),
});
export type BoardJob = z.infer<typeof BoardJob>;

/** `incomplete`: instances whose jobs are not listed, since the answer would be too long. */
export const CapacityBoard = model({ jobs: listOf(BoardJob), incomplete: listOf(Uuid) });
export type CapacityBoard = z.infer<typeof CapacityBoard>;
