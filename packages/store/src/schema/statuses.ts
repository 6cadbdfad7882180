/** Groups of statuses that queries ask for. */
import type { InstanceStatus, JobStatus, RunStatus } from '@dstack/core';

export const UNFINISHED_RUN: readonly RunStatus[] = [
  'pending',
  'submitted',
  'provisioning',
  'running',
  'terminating',
];

/** Runs whose jobs may still be given machines. */
export const LIVE_RUN: readonly RunStatus[] = ['submitted', 'provisioning', 'running'];

export const UNFINISHED_JOB: readonly JobStatus[] = [
  'submitted',
  'provisioning',
  'pulling',
  'running',
  'terminating',
];

export const ENDING_INSTANCE: readonly InstanceStatus[] = ['terminating', 'terminated'];
