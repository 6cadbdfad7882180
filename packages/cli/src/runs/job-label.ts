import type { Job } from '@dstack/contract/wire';

/** The numbers that distinguish a job from `jobs`: `job=1`, `replica=0`, or both; all of one length. */
export function jobLabel(job: Job, jobs: readonly Job[]): string {
  const parts = [
    numberPart('replica', job, jobs, ({ job_spec }) => job_spec.replica_num ?? 0),
    numberPart('job', job, jobs, ({ job_spec }) => job_spec.job_num),
  ];
  return parts.filter((part) => part !== '').join(' ');
}

function numberPart(
  name: string,
  job: Job,
  jobs: readonly Job[],
  numberOf: (job: Job) => number,
): string {
  const numbers = jobs.map(numberOf);
  if (new Set(numbers).size < 2) return '';
  const width = String(Math.max(...numbers)).length;
  return `${name}=${String(numberOf(job)).padEnd(width)}`;
}
