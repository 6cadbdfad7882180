import type { Job, Run } from '@dstack/contract/wire';

/** Instead of names of jobs; those end with numbers. */
export const ALL_JOBS = 'all';

/** The browser reads two logs at once, and the lines of all of them are in memory. */
export const MOST_MERGED = 32;

/** Names have no commas. */
const SEPARATOR = ',';

/** The jobs as addresses name them. */
export function jobsParameter(names: readonly string[]): string {
  return names.join(SEPARATOR);
}

/** The jobs whose logs are merged, in the order of the run; null: the address names one job or none. */
export function mergedJobs(run: Run, parameter: string | undefined): readonly Job[] | null {
  if (parameter === ALL_JOBS) return run.jobs.length > 1 ? run.jobs : null;
  if (!parameter?.includes(SEPARATOR)) return null;
  const names = new Set(parameter.split(SEPARATOR));
  const jobs = run.jobs.filter(({ job_spec }) => names.has(job_spec.job_name));
  return jobs.length === 0 ? null : jobs.slice(0, MOST_MERGED);
}
