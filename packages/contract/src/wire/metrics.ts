/** Job metrics as series. */
import * as z from 'zod';
import { DateTime, Float, model, Text } from './scalars.ts';

/** `timestamps` and `values` are parallel, newest first. */
export const Metric = model({
  name: Text,
  timestamps: z.array(DateTime),
  values: z.array(Float),
});
export type Metric = z.infer<typeof Metric>;

export const JobMetrics = model({ metrics: z.array(Metric) });
export type JobMetrics = z.infer<typeof JobMetrics>;
