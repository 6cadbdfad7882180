import type { Page } from '@dstack/store';

/** Page fields of a request in the form of the store; an id without a time is ignored. */
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
