import type { Page } from '@dstack/store';

/** Page fields of a request as the store takes them; an id without a time is ignored. */
export function pageOf(
  previousTime: number | null,
  previousId: string | null,
  request: { readonly limit: number; readonly ascending: boolean },
): Page {
  return {
    after: previousTime === null ? null : { at: previousTime, id: previousId },
    limit: request.limit,
    ascending: request.ascending,
  };
}
