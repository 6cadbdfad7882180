import type { Run } from '@dstack/contract/wire';

/** The exit codes of the jobs, each once; null: none has ended by itself. */
export function exitText({ jobs }: Run): string | null {
  const codes = new Set(
    jobs.flatMap(({ job_submissions }) => job_submissions.at(-1)?.exit_status ?? []),
  );
  return codes.size === 0 ? null : [...codes].sort((a, b) => a - b).join(', ');
}
