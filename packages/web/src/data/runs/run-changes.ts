import type { ImagePullProgress, Job, Run } from '@dstack/contract/wire';
import type { QueryClient } from '@tanstack/react-query';
import type { RunPages } from './run-cache.ts';
import { type RunScope, runKeys } from './run-queries.ts';
import { type RunRow, runRow } from './run-row.ts';

/** Writes changed runs into all lists and pages that are loaded. */
export function applyRuns(cache: QueryClient, runs: readonly Run[]): void {
  // Lists show an array in place of its members.
  const rows = runs.filter(({ member }) => member === undefined).map(runRow);
  for (const { queryKey } of cache.getQueryCache().findAll({ queryKey: runKeys.lists })) {
    const scope = queryKey[2] as RunScope;
    cache.setQueryData<RunPages>(queryKey, (pages) => pages && withRows(pages, rows, scope));
  }
  for (const run of runs) {
    const names = [run.id, run.run_spec.run_name ?? ''];
    for (const name of names) {
      cache.setQueryData<Run>(runKeys.one(run.project_name, name), (known) =>
        known?.id === run.id ? withNewest(known, run) : known,
      );
    }
  }
}

/** Rows change in place; new ones are put where the server would list them. */
export function withRows(data: RunPages, rows: readonly RunRow[], scope: RunScope): RunPages {
  const changed = new Map(rows.map((row) => [row.id, row]));
  const known = new Set<string>();
  const pages = data.pages.map((page) => {
    if (!page.some(({ id }) => changed.has(id))) return page;
    return page
      .map((row) => {
        const now = changed.get(row.id);
        if (now === undefined) return row;
        known.add(row.id);
        return now;
      })
      .filter((row) => !changed.has(row.id) || belongs(row, scope));
  });
  const [first = [], ...rest] = pages;
  const oldest = first.at(-1);
  // Older runs than those of the first page come with the page that they are on.
  const added = rows.filter(
    (row) =>
      !known.has(row.id) &&
      belongs(row, scope) &&
      (oldest === undefined || row.submittedAt >= oldest.submittedAt),
  );
  if (added.length === 0) return { ...data, pages };
  const sorted = [...added, ...first].sort((a, b) => compareTimes(b, a));
  return { ...data, pages: [sorted, ...rest] };
}

const FINISHED = ['done', 'failed', 'terminated'];

function belongs(row: RunRow, { project, user, active }: RunScope): boolean {
  if (project !== null && row.project !== project) return false;
  if (user !== null && row.user !== user) return false;
  return !active || !FINISHED.includes(row.status);
}

function compareTimes(a: RunRow, b: RunRow): number {
  if (a.submittedAt === b.submittedAt) return a.id < b.id ? -1 : 1;
  return a.submittedAt < b.submittedAt ? -1 : 1;
}

/** Lists have the newest submission of each job only; the earlier ones are those that are known. */
export function withNewest(known: Run, run: Run): Run {
  const jobs = run.jobs.map((job) => {
    const before = known.jobs.find(({ job_spec }) => job_spec.job_name === job.job_spec.job_name);
    return before === undefined ? job : mergedJob(before, job);
  });
  return { ...run, jobs };
}

function mergedJob(known: Job, job: Job): Job {
  const ids = new Set(job.job_submissions.map(({ id }) => id));
  const earlier = known.job_submissions.filter(({ id }) => !ids.has(id));
  return {
    ...job,
    job_submissions: [...earlier, ...job.job_submissions],
    job_connection_info: job.job_connection_info ?? known.job_connection_info,
  };
}

/** Writes the progress of a pull into the pages of its run. */
export function applyPull(
  cache: QueryClient,
  submissionId: string,
  progress: ImagePullProgress,
): void {
  cache.setQueriesData<Run>({ queryKey: ['run', 'one'] }, (run) => {
    if (!run?.jobs.some((job) => job.job_submissions.some(({ id }) => id === submissionId))) {
      return run;
    }
    const jobs = run.jobs.map((job) => ({
      ...job,
      job_submissions: job.job_submissions.map((submission) =>
        submission.id === submissionId
          ? { ...submission, image_pull_progress: progress }
          : submission,
      ),
    }));
    return { ...run, jobs };
  });
}
