import { SearchX } from 'lucide-react';
import { type ReactNode, type RefObject, useState } from 'react';
import { Button } from '../button/button.tsx';
import { EmptyState } from '../feedback/empty-state.tsx';
import { ErrorPanel } from '../feedback/error-panel.tsx';
import { SearchInput } from '../field/search-input.tsx';
import { PageFrame } from '../panel/page.tsx';
import type { TableColumn } from './column.ts';
import { ColumnMenu, useColumns } from './column-menu.tsx';
import { DataTable } from './data-table.tsx';
import { useDensity } from './density.ts';
import { ExportMenu } from './export/export-menu.tsx';
import styles from './list-page.module.css';
import type { RowActionsOf } from './row-action.ts';
import { groupChoice, type RowGroups } from './row-groups.ts';
import { SelectionBar, Toolbar } from './toolbar.tsx';

export interface ListPageProps<Row> {
  /** `Fleets` */
  readonly title: string;
  /** `fleet` */
  readonly noun: string;
  /** The rows that match the filters; undefined while they are loaded for the first time. */
  readonly rows: readonly Row[] | undefined;
  readonly columns: readonly TableColumn<Row>[];
  readonly rowId: (row: Row) => string;
  readonly rowName: (row: Row) => string;
  /** Set only if there is nothing to show. */
  readonly error: unknown;
  readonly onRetry: () => void;
  readonly text: string;
  readonly onText: (text: string) => void;
  readonly searchInput: RefObject<HTMLInputElement | null>;
  /** Beside the text filter. */
  readonly filters?: ReactNode;
  readonly isFiltered: boolean;
  readonly onClear: () => void;
  /** Buttons of the page. */
  readonly actions?: ReactNode;
  /** Above the table. */
  readonly notice?: ReactNode;
  /** Actions on the selected rows; without them rows cannot be selected. */
  readonly selectionActions?: (chosen: readonly Row[], onDone: () => void) => ReactNode;
  /** The actions for a row. Pass the same function as long as its answers are the same. */
  readonly rowActions?: RowActionsOf<Row> | undefined;
  /** The groupings of the rows; absent: the list has none. */
  readonly groups?: RowGroups<Row> | undefined;
  /** The name of the present grouping, if it is one of `groups`. */
  readonly group?: string | undefined;
  readonly onGroup?: ((group: string | null) => void) | undefined;
  /** Teaches the next step where there are no rows at all. */
  readonly empty: ReactNode;
}

const NONE: ReadonlySet<string> = new Set();

/** A page that is one table: filters, columns, selection and its states. */
export function ListPage<Row>(props: ListPageProps<Row>) {
  const { title, noun, rows, columns, rowId, rowName, error, onRetry, selectionActions } = props;
  const { visible, choice, setChoice } = useColumns(noun, columns);
  const { groups = {}, group, onGroup, rowActions } = props;
  const [density, setDensity] = useDensity();
  const [selected, setSelected] = useState(NONE);
  const chosen = rows?.filter((row) => selected.has(rowId(row))) ?? [];
  const clear = () => setSelected(NONE);
  return (
    <PageFrame title={title} actions={props.actions} fixed>
      <div className={styles.area}>
        {props.notice}
        <Toolbar
          end={
            chosen.length > 0 && selectionActions !== undefined ? (
              <SelectionBar count={chosen.length} noun={noun} onClear={clear}>
                {selectionActions(chosen, clear)}
              </SelectionBar>
            ) : (
              <>
                <ExportMenu
                  name={title.toLowerCase()}
                  columns={columns}
                  allRows={async () => rows ?? []}
                />
                <ColumnMenu
                  columns={columns}
                  choice={choice}
                  onChange={setChoice}
                  density={density}
                  onDensity={setDensity}
                  groups={onGroup && groupChoice(groups, group, onGroup)}
                />
              </>
            )
          }
        >
          <SearchInput
            ref={props.searchInput}
            label={`Filter ${title.toLowerCase()}`}
            keys="/"
            value={props.text}
            onChange={props.onText}
          />
          {props.filters}
        </Toolbar>
        {error !== null && error !== undefined ? (
          <ErrorPanel
            title={`The ${title.toLowerCase()} could not be loaded`}
            error={error}
            onRetry={onRetry}
          />
        ) : (
          <DataTable
            label={title}
            rows={rows}
            columns={visible}
            rowId={rowId}
            rowName={rowName}
            density={density}
            groupOf={
              group !== undefined && Object.hasOwn(groups, group) ? groups[group]?.of : undefined
            }
            {...(rowActions === undefined ? {} : { rowActions })}
            {...(selectionActions === undefined
              ? {}
              : { selection: { ids: selected, onChange: setSelected } })}
            empty={props.isFiltered ? <NoMatch noun={noun} onClear={props.onClear} /> : props.empty}
          />
        )}
      </div>
    </PageFrame>
  );
}

function NoMatch({ noun, onClear }: { readonly noun: string; readonly onClear: () => void }) {
  return (
    <EmptyState
      icon={SearchX}
      title={`No ${noun} matches the filters`}
      actions={<Button onClick={onClear}>Clear the filters</Button>}
    />
  );
}
