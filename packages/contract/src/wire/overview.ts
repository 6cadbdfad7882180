/** The content of the start page of the UI about the caller's projects. Our addition. */
import * as z from 'zod';
import { Run } from './run.ts';
import { Flag, Float, Integer, model, Text } from './scalars.ts';

/** GPUs of one kind, on instances that are idle or busy. */
export const GpuUse = model({
  name: Text,
  memory_mib: Integer,
  total: Integer,
  /** Promised to jobs. An instance in blocks has a share of its GPUs in use. */
  in_use: Integer,
  /** On instances whose agent does not answer; part of `total`, never of `in_use`. */
  unreachable: Integer,
});
export type GpuUse = z.infer<typeof GpuUse>;

export const InstanceUse = model({
  total: Integer,
  /** With at least one busy block. */
  in_use: Integer,
  unreachable: Integer,
  /** USD per hour of all of them whose price is known. */
  price: Float,
  /** Those without a known price. */
  unpriced: Integer.default(0),
});
export type InstanceUse = z.infer<typeof InstanceUse>;

export const Overview = model({
  /** Unfinished runs by status. */
  runs: z.array(model({ status: Text, count: Integer })),
  instances: InstanceUse,
  gpus: z.array(GpuUse),
  /** Failed runs that were not deleted, the newest first. */
  failures: z.array(Run),
  /** Imported ones included. */
  has_fleets: Flag,
  /** Whether a run was ever submitted. */
  has_runs: Flag,
});
export type Overview = z.infer<typeof Overview>;
