/** Fair shares: what projects and their users have used of a pool. Our addition. */
import type * as z from 'zod';
import { Float, Integer, listOf, model, nullable, Text } from './scalars.ts';

/**
 * `project_name`: null = a project that the caller may not see. `user_name`: null = the project as a whole. `usage`: GPU
 * hours, of which half is forgotten in each half-life; a machine without GPUs counts by its CPUs and memory. `rate`: GPUs
 * that are used now. `ratio`: usage, and one hour of `rate`, for each unit of `weight`: the lowest is placed first. `next`:
 * the run that is its first in the queue; null = none waits, or the caller may not see it.
 */
export const Share = model({
  project_name: nullable(Text),
  user_name: nullable(Text),
  weight: Integer,
  usage: Float,
  rate: Float,
  ratio: Float,
  next: nullable(Text),
});
export type Share = z.infer<typeof Share>;

/** Projects by ratio, each with its users behind it; empty: the pool is not shared by weight. */
export const ShareList = model({ shares: listOf(Share) });
export type ShareList = z.infer<typeof ShareList>;
