import { Link } from '@tanstack/react-router';
import { Play, Search, SearchX } from 'lucide-react';
import { type RefObject, useState } from 'react';
import type { RunRow } from '../../data/runs/run-row.ts';
import { count } from '../../domain/format/quantities.ts';
import { STATUS_FILTERS, type StatusFilter } from '../../domain/runs/run-actions.ts';
import { useRunRowActions } from '../../domain/runs/use-run-row-actions.ts';
import { Button, buttonClass } from '../../ui/button/button.tsx';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { ErrorPanel } from '../../ui/feedback/error-panel.tsx';
import { SearchInput } from '../../ui/field/search-input.tsx';
import { PageFrame } from '../../ui/panel/page.tsx';
import { Select } from '../../ui/select/select.tsx';
import { ColumnMenu, useColumns } from '../../ui/table/column-menu.tsx';
import { DataTable } from '../../ui/table/data-table.tsx';
import { useDensity } from '../../ui/table/density.ts';
import { type AllRows, ExportMenu } from '../../ui/table/export/export-menu.tsx';
import { groupChoice } from '../../ui/table/row-groups.ts';
import { Toolbar } from '../../ui/table/toolbar.tsx';
import { ViewMenu } from '../../ui/table/view-menu.tsx';
import { RUN_COLUMNS } from './run-columns.tsx';
import { RUN_GROUP_NAMES, RUN_GROUPS } from './run-groups.ts';
import { readSorting, writeSorting } from './run-sorting.ts';
import styles from './runs.module.css';
import { RunsSearch } from './runs-search.ts';
import { RunsSelection } from './runs-selection.tsx';

export interface RunsViewProps {
  /** Undefined while they are loaded for the first time. */
  readonly rows: readonly RunRow[] | undefined;
  /** Rows before filtering. */
  readonly loadedCount: number;
  readonly hasMore: boolean;
  readonly error: unknown;
  readonly filters: RunsSearch;
  readonly onFilters: (change: Partial<RunsSearch>) => void;
  readonly onRetry: () => void;
  readonly onMore: (() => void) | undefined;
  readonly allRows: AllRows<RunRow>;
  readonly searchInput: RefObject<HTMLInputElement | null>;
}

const NONE: ReadonlySet<string> = new Set();

export function RunsView(props: RunsViewProps) {
  const { rows, loadedCount, hasMore, error, filters, onFilters, onRetry, onMore, allRows } = props;
  const { visible, choice, setChoice } = useColumns('runs', RUN_COLUMNS);
  const [density, setDensity] = useDensity();
  const rowActions = useRunRowActions();
  const [selected, setSelected] = useState(NONE);
  const chosen = rows?.filter(({ id }) => selected.has(id)) ?? [];
  return (
    <PageFrame
      title="Runs"
      fixed
      actions={
        <Link to="/runs/launch" className={buttonClass({ variant: 'primary' })}>
          Launch a run
        </Link>
      }
    >
      <div className={styles.tableArea}>
        <Toolbar
          end={
            chosen.length > 0 ? (
              <RunsSelection runs={chosen} onClear={() => setSelected(NONE)} />
            ) : (
              <>
                <ExportMenu name="runs" columns={RUN_COLUMNS} allRows={allRows} />
                <ColumnMenu
                  columns={RUN_COLUMNS}
                  choice={choice}
                  onChange={setChoice}
                  density={density}
                  onDensity={setDensity}
                  groups={groupChoice(RUN_GROUPS, filters.group, (name) =>
                    onFilters({ group: RUN_GROUP_NAMES.find((one) => one === name) }),
                  )}
                />
              </>
            )
          }
        >
          <RunFilters {...props} />
          <ViewMenu
            table="run"
            shown={{ filters: setFilters(filters), columns: choice }}
            onApply={(view) => {
              onFilters({ ...NO_FILTERS, ...RunsSearch.parse(view.filters) });
              if (view.columns !== undefined) setChoice(view.columns);
            }}
          />
        </Toolbar>
        {error !== null ? (
          <ErrorPanel title="The runs could not be loaded" error={error} onRetry={onRetry} />
        ) : (
          <DataTable
            label="Runs"
            rows={rows}
            columns={visible}
            rowId={rowId}
            rowName={rowName}
            density={density}
            groupOf={filters.group && RUN_GROUPS[filters.group].of}
            isPartial={hasMore}
            sorting={readSorting(filters.sort)}
            onSort={(sorting) => onFilters({ sort: writeSorting(sorting) })}
            rowActions={rowActions}
            selection={{ ids: selected, onChange: setSelected }}
            onMore={onMore}
            empty={
              loadedCount === 0 && !hasMore && !isFiltered(filters) ? (
                <NoRuns />
              ) : (
                <NoMatch
                  searched={loadedCount}
                  isSearching={hasMore}
                  onClear={() => onFilters(NO_FILTERS)}
                />
              )
            }
          />
        )}
      </div>
    </PageFrame>
  );
}

const rowId = ({ id }: RunRow) => id;
const rowName = ({ name }: RunRow) => name;

const NO_FILTERS: RunsSearch = {
  q: undefined,
  user: undefined,
  status: undefined,
  type: undefined,
};

/** Those that are set. */
function setFilters({ q, user, status, type }: RunsSearch): Readonly<Record<string, string>> {
  const all = Object.entries({ q, user, status, type });
  return Object.fromEntries(all.filter((one): one is [string, string] => !!one[1]));
}

function isFiltered({ q, user, status, type }: RunsSearch): boolean {
  return [q, user, status, type].some((value) => value !== undefined && value !== '');
}

function RunFilters({ rows, filters, onFilters, searchInput }: RunsViewProps) {
  const users = [...new Set(rows?.map(({ user }) => user))].sort();
  const known =
    filters.user === undefined || users.includes(filters.user) ? users : [filters.user, ...users];
  return (
    <>
      <SearchInput
        ref={searchInput}
        label="Filter runs"
        keys="/"
        value={filters.q ?? ''}
        onChange={(q) => onFilters({ q: q === '' ? undefined : q })}
      />
      <Select<StatusFilter>
        label="Status"
        value={filters.status ?? 'any'}
        options={STATUS_OPTIONS}
        onChange={(status) => onFilters({ status: status === 'any' ? undefined : status })}
      />
      <Select
        label="Type"
        value={filters.type ?? 'any'}
        options={TYPE_OPTIONS}
        onChange={(type) => onFilters({ type: type === 'any' ? undefined : type })}
      />
      <Select
        label="User"
        value={filters.user ?? ''}
        options={[
          { value: '', label: 'Any user' },
          ...known.map((user) => ({ value: user, label: user })),
        ]}
        onChange={(user) => onFilters({ user: user === '' ? undefined : user })}
      />
    </>
  );
}

const STATUS_OPTIONS = (Object.entries(STATUS_FILTERS) as [StatusFilter, string][]).map(
  ([value, label]) => ({ value, label }),
);

const TYPE_OPTIONS = [
  { value: 'any', label: 'Any type' },
  { value: 'task', label: 'Tasks' },
  { value: 'service', label: 'Services' },
  { value: 'dev-environment', label: 'Dev environments' },
] as const;

function NoRuns() {
  return (
    <EmptyState icon={Play} title="No runs yet">
      <p>
        A run is a task, a service or a dev environment. Describe it in a file and apply it from the
        command line:
      </p>
      <CommandBlock
        label="Copy the configuration"
        text={'# .dstack.yml\ntype: task\nname: hello\ncommands:\n  - echo Hello'}
      />
      <CommandBlock text="dstack apply -f .dstack.yml" />
    </EmptyState>
  );
}

interface NoMatchProps {
  readonly searched: number;
  /** Older runs are being loaded. */
  readonly isSearching: boolean;
  readonly onClear: () => void;
}

function NoMatch({ searched, isSearching, onClear }: NoMatchProps) {
  return (
    <EmptyState
      icon={isSearching ? Search : SearchX}
      title={isSearching ? 'Searching older runs' : 'No run matches the filters'}
      actions={<Button onClick={onClear}>Clear the filters</Button>}
    >
      <p>{count(searched)} runs were searched.</p>
    </EmptyState>
  );
}
