interface Result<T> {
  readonly data: T | undefined;
  readonly error: unknown;
  readonly isPending: boolean;
  readonly refetch: () => unknown;
}

/** Measurements that several requests ask for; `error`: of the first without any. */
export function combinedResults<T>(results: readonly Result<T>[]) {
  return {
    answers: results.map(({ data }) => data),
    isLoading: results.some(({ isPending }) => isPending),
    error: results.find(({ data, error }) => data === undefined && error !== null)?.error ?? null,
    retry: () => results.forEach(({ refetch }) => void refetch()),
  };
}
