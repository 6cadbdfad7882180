import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useEffect, useMemo, useRef } from 'react';
import { useCommands } from '../../app/commands/command-context.tsx';
import { allRuns, runList } from '../../data/runs/run-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { useDelayedStops } from '../../domain/runs/delayed-stops-context.tsx';
import { filterRuns } from '../../domain/runs/run-filter.ts';
import { withDelayedStops } from '../../domain/runs/with-delayed-stops.ts';
import { usePageTitle } from '../../ui/panel/page-title.ts';
import { sortRows } from '../../ui/table/column.ts';
import { RUN_COLUMNS } from './run-columns.tsx';
import { readSorting } from './run-sorting.ts';
import type { RunsSearch } from './runs-search.ts';
import { RunsView } from './runs-view.tsx';

const route = getRouteApi('/shell/runs');

/** The list of runs. */
export function RunsPage() {
  usePageTitle('Runs');
  const client = useClient();
  const search = route.useSearch();
  const navigate = useNavigate({ from: '/runs' });
  const searchInput = useRef<HTMLInputElement>(null);
  const status = search.status ?? 'any';
  const scope = {
    project: search.project ?? null,
    user: search.user ?? null,
    active: status === 'active',
  };
  const query = useInfiniteQuery(runList(client, scope));
  const { data, hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage } = query;
  // After a failure the next refresh of the list makes it possible again.
  const canLoadMore = hasNextPage && !isFetchingNextPage && !isFetchNextPageError;
  // The rows of a group, and those that are sorted first, may be on any page.
  const needsAll = search.group !== undefined || search.sort !== undefined;
  useEffect(() => {
    if (needsAll && canLoadMore) void fetchNextPage();
  }, [needsAll, canLoadMore, fetchNextPage]);
  const loaded = useMemo(() => data?.pages.flat(), [data]);
  const { type = null, q = '' } = search;
  const stops = useDelayedStops();
  const rows = useMemo(
    () =>
      loaded &&
      sortRows(
        withDelayedStops(filterRuns(loaded, { status, type, text: q }), stops),
        RUN_COLUMNS,
        readSorting(search.sort),
      ),
    [loaded, status, type, q, stops, search.sort],
  );
  const setFilter = (change: Partial<RunsSearch>) =>
    navigate({
      search: (before) => ({ ...before, ...change }),
      replace: true,
    });
  useCommands(
    useMemo(
      () => [
        {
          id: 'runs.search',
          label: 'Filter the runs',
          group: 'This page' as const,
          keys: '/',
          run: () => searchInput.current?.focus(),
        },
      ],
      [],
    ),
  );
  return (
    <RunsView
      rows={rows}
      loadedCount={loaded?.length ?? 0}
      hasMore={hasNextPage}
      error={data === undefined ? query.error : null}
      filters={search}
      onFilters={setFilter}
      onRetry={() => void query.refetch()}
      allRows={async (onCount, signal) =>
        filterRuns(await allRuns(client, scope, onCount, signal), { status, type, text: q })
      }
      onMore={canLoadMore ? () => void fetchNextPage() : undefined}
      searchInput={searchInput}
    />
  );
}
