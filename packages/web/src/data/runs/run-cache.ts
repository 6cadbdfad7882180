import type { InfiniteData, QueryClient } from '@tanstack/react-query';
import { runKeys } from './run-queries.ts';
import type { RunRow } from './run-row.ts';

export type RunPages = InfiniteData<readonly RunRow[], unknown>;

/** Lists of up to this many pages are loaded again as a whole. */
const SHORT = 2;

/**
 * Brings the lists on the page up to date. Of long lists only the first page is asked for: new and
 * recent runs are there, and older ones seldom change.
 */
export async function refreshRunLists(cache: QueryClient): Promise<void> {
  const lists = cache.getQueryCache().findAll({ queryKey: runKeys.lists, type: 'active' });
  await Promise.all(
    lists.map(async ({ queryKey, meta, state }) => {
      if (state.fetchStatus === 'fetching') return;
      const pages = cache.getQueryData<RunPages>(queryKey);
      if (pages === undefined || pages.pages.length <= SHORT) {
        return cache.invalidateQueries({ queryKey, exact: true });
      }
      const head = await meta?.refreshHead?.().catch(() => null);
      if (!head) return;
      cache.setQueryData<RunPages>(queryKey, (now) => now && withHead(now, head as RunRow[]));
    }),
  );
}

/** Puts a new first page on top of the loaded ones; rows in both are taken from the new page. */
export function withHead(data: RunPages, head: readonly RunRow[]): RunPages {
  const last = head.at(-1);
  if (last === undefined) return data;
  const fresh = new Set(head.map(({ id }) => id));
  const rest = data.pages.map((page) =>
    page.filter((row) => !fresh.has(row.id) && isAfter(row, last)),
  );
  const [first = [], ...others] = rest;
  return { ...data, pages: [[...head, ...first], ...others] };
}

/** Lists are ordered by the time of submission, then by id, both descending. */
function isAfter(row: RunRow, other: RunRow): boolean {
  if (row.submittedAt !== other.submittedAt) return row.submittedAt < other.submittedAt;
  return row.id < other.id;
}
