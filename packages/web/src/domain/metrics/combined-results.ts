import type { JobMetrics } from '@dstack/contract/wire';

interface Result {
  readonly data: JobMetrics | undefined;
  readonly error: unknown;
  readonly isPending: boolean;
  readonly refetch: () => unknown;
}

/** The measurements of several jobs, asked for one by one; `error`: of the first without any. */
export function combinedResults(results: readonly Result[]) {
  return {
    answers: results.map(({ data }) => data),
    isLoading: results.some(({ isPending }) => isPending),
    error: results.find(({ data, error }) => data === undefined && error !== null)?.error ?? null,
    retry: () => results.forEach(({ refetch }) => void refetch()),
  };
}
