/** How busy instances were in the last minutes, for lists. Our addition. */
import * as z from 'zod';
import { choiceOf, DateTime, Float, model, Uuid } from './scalars.ts';

export const MeasuredUse = model({
  instance_id: Uuid,
  /** `gpu`: of all its GPUs together; `cpu`: of its CPUs, where it has no GPU. */
  kind: choiceOf(['gpu', 'cpu']),
  /** The use by jobs, oldest first; times without measurements are left out. */
  timestamps: z.array(DateTime),
  /** Parallel to `timestamps`. */
  percents: z.array(Float),
});
export type MeasuredUse = z.infer<typeof MeasuredUse>;
