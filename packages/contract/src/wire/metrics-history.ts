/** Measurements of several jobs over a long time, in equal steps. Our addition. */
import * as z from 'zod';
import { DateTime, Float, integer, model, Text, Uuid } from './scalars.ts';

export const JobHistory = model({
  job_submission_id: Uuid,
  /** Beginnings of steps, oldest first; those without measurements are left out. */
  timestamps: z.array(DateTime),
  /** Named as those of one job; each value is the mean of its step, parallel to `timestamps`. */
  metrics: z.array(model({ name: Text, values: z.array(Float) })),
});
export type JobHistory = z.infer<typeof JobHistory>;

export const MetricsHistory = model({
  /** The same for all jobs. */
  step_seconds: integer({ ge: 1 }),
  jobs: z.array(JobHistory),
});
export type MetricsHistory = z.infer<typeof MetricsHistory>;
