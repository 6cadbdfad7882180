import { useNavigate, useSearch } from '@tanstack/react-router';
import { type ReactNode, useMemo } from 'react';
import { Segments } from '../../ui/field/segments.tsx';
import { usePageTitle } from '../../ui/panel/page-title.ts';
import { ListPage, type ListPageProps } from '../../ui/table/list-page.tsx';
import { filterByText } from '../../ui/table/text-filter.ts';
import { useFilterCommand } from '../commands/use-filter-command.ts';

/** The filters that all lists have in their address. */
export interface ListAddress {
  /** Null: all projects. */
  readonly project: string | null;
  readonly q: string;
  /** Also what has ended. */
  readonly all: boolean;
  /** The name of a grouping; not necessarily one of this list's. Undefined: rows are not grouped. */
  readonly group: string | undefined;
  /** Changes filters of this page; undefined removes one. */
  readonly set: (change: Readonly<Record<string, string | undefined>>) => void;
}

export function useListAddress(): ListAddress {
  const search = useSearch({ strict: false });
  const navigate = useNavigate();
  return {
    project: search.project ?? null,
    q: search.q ?? '',
    all: 'show' in search && search.show === 'all',
    group: 'group' in search ? search.group : undefined,
    set: (change) =>
      void navigate({ to: '.', search: (before) => ({ ...before, ...change }), replace: true }),
  };
}

type Given<Row> = Pick<
  ListPageProps<Row>,
  | 'title'
  | 'noun'
  | 'columns'
  | 'rowId'
  | 'rowName'
  | 'actions'
  | 'notice'
  | 'selectionActions'
  | 'rowActions'
  | 'groups'
>;

export interface ResourceListProps<Row> extends Given<Row> {
  readonly address: ListAddress;
  readonly query: {
    readonly error: unknown;
    readonly refetch: () => unknown;
  };
  /** All that the server has returned; undefined before the first answer. */
  readonly rows: readonly Row[] | undefined;
  /** The texts of a row that the text filter searches. */
  readonly textsOf: (row: Row) => readonly (string | null | undefined)[];
  /** Whether a row belongs to a list without what has ended; without it, all rows do. */
  readonly isActive?: (row: Row) => boolean;
  /** Filters of this page alone. */
  readonly filters?: ReactNode;
  readonly ownFilters?: Readonly<Record<string, string | undefined>>;
  readonly empty: ReactNode;
}

/** A page that lists things of one kind, with the filters that all lists have. */
export function ResourceList<Row>(props: ResourceListProps<Row>) {
  const { address, query, rows, textsOf, isActive, filters, ownFilters = {}, ...page } = props;
  const { q, all, set } = address;
  usePageTitle(page.title);
  const searchInput = useFilterCommand(page.title);
  const shown = useMemo(() => {
    const known = all || isActive === undefined ? rows : rows?.filter(isActive);
    return known && filterByText(known, q, textsOf);
  }, [rows, q, all, textsOf, isActive]);
  return (
    <ListPage
      {...page}
      group={address.group}
      onGroup={page.groups && ((group) => set({ group: group ?? undefined }))}
      rows={shown}
      error={rows === undefined ? query.error : null}
      onRetry={() => void query.refetch()}
      text={q}
      onText={(text) => set({ q: text || undefined })}
      searchInput={searchInput}
      filters={
        <>
          {isActive === undefined ? null : (
            <Segments
              label={`Which ${page.title.toLowerCase()}`}
              value={all ? 'all' : 'active'}
              options={[
                ['active', 'Active'],
                ['all', 'All'],
              ]}
              onChange={(value) => set({ show: value === 'all' ? 'all' : undefined })}
            />
          )}
          {filters}
        </>
      }
      isFiltered={q !== '' || Object.values(ownFilters).some((value) => value !== undefined)}
      onClear={() =>
        set({
          q: undefined,
          ...Object.fromEntries(Object.keys(ownFilters).map((name) => [name, undefined])),
        })
      }
    />
  );
}
