/** The queue of the pool that a project is in: an addition of ours. */
import type * as z from 'zod';
import { RunHold } from './run.ts';
import { DateTime, Flag, Integer, listOf, model, nullable, Text, Uuid } from './scalars.ts';

/** Blocks of an instance on which a waiting run is expected to start. */
export const QueuedPlace = model({ instance_id: Uuid, blocks: Integer });
export type QueuedPlace = z.infer<typeof QueuedPlace>;

/**
 * A run, or one replica of a service, that waits for a place. `place`: in the order of the queue, from 1.
 * If the caller may not see the run, `run` is `HIDDEN_RUN` and the fields that can be null are null,
 * but for `expected_start`. `project`: of the run. `since`: when it began to wait. `is_reserved`: it has
 * reserved the instances on which it will start. `expected_start`: null = not known; `is_about`: it is an
 * estimate, and no promise. `places`: where, of the instances that the project can use; also of runs that
 * the caller may not see. `max_duration`: seconds, null = without an end. `why`: what it lacked when it was looked for a place first.
 */
export const QueuedRun = model({
  place: Integer,
  run_id: nullable(Uuid),
  run: Text,
  replica: nullable(Integer),
  project: nullable(Text),
  user: nullable(Text),
  nodes: nullable(Integer),
  priority: nullable(Integer),
  submitted_at: nullable(DateTime),
  since: nullable(DateTime),
  expected_start: nullable(DateTime),
  is_about: Flag,
  is_reserved: Flag,
  places: listOf(QueuedPlace),
  max_duration: nullable(Integer),
  why: nullable(Text),
});
export type QueuedRun = z.infer<typeof QueuedRun>;

/**
 * A run of the project that is in no queue yet. `hold`: a person keeps it out; null = it is not held. `waits_for`: the
 * runs that it depends on and that have not ended. `is_unmet`: one of them has ended in another way, and this run
 * is kept until it is released.
 */
export const KeptBackRun = model({
  run_id: Uuid,
  run: Text,
  user: Text,
  priority: Integer,
  submitted_at: DateTime,
  hold: nullable(RunHold),
  waits_for: listOf(Text),
  is_unmet: Flag,
});
export type KeptBackRun = z.infer<typeof KeptBackRun>;

/**
 * `runs`: the first ones, most urgent first. `total`: all that wait. `kept_back`: the first ones, the oldest first, of
 * `kept_back_total`.
 */
export const RunQueue = model({
  runs: listOf(QueuedRun),
  total: Integer,
  kept_back: listOf(KeptBackRun),
  kept_back_total: Integer.default(0),
});
export type RunQueue = z.infer<typeof RunQueue>;
