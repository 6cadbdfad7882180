/** Parts of inputs that several tools have. */
import type { Job, JobSubmission, Run } from '@dstack/contract/wire';
import * as z from 'zod';
import { ToolRefusal } from '../tool.ts';

export const runName = z.string().min(1).max(200).describe('Name of the run');

export const replica = z.int().min(0).default(0).describe('Number of the replica');

export const node = z.int().min(0).default(0).describe('Number of the node (job) in the replica');

export const confirm = z
  .boolean()
  .default(false)
  .describe('true only after the user has agreed; otherwise nothing is changed');

/** Characters; more than any configuration that people write. */
const LONGEST_CONFIGURATION = 16_000;

export const configuration = z
  .string()
  .min(1)
  .max(LONGEST_CONFIGURATION)
  .describe('A configuration as YAML: the content of a .dstack.yml file');

/** The job and its last submission. */
export function jobOf(
  run: Run,
  replicaNum: number,
  jobNum: number,
): { readonly job: Job; readonly submission: JobSubmission } {
  const job = run.jobs.find(
    ({ job_spec: spec }) => (spec.replica_num ?? 0) === replicaNum && spec.job_num === jobNum,
  );
  const submission = job?.job_submissions.at(-1);
  if (job !== undefined && submission !== undefined) return { job, submission };
  const known = run.jobs.map(({ job_spec: spec }) => spec.job_name).join(', ') || 'none';
  throw new ToolRefusal(
    `Run ${run.run_spec.run_name} has no replica ${replicaNum} with a node ${jobNum}. Its jobs: ${known}`,
  );
}
