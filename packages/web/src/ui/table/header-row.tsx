import { ArrowDown, ArrowUp } from 'lucide-react';
import { useEffect, useRef } from 'react';
import type { Sorting, TableColumn } from './column.ts';
import styles from './data-table.module.css';
import type { RowSelection } from './row-selection.ts';

export interface HeaderRowProps<Row> {
  readonly columns: readonly TableColumn<Row>[];
  readonly ids: readonly string[];
  readonly selection?: RowSelection;
  readonly hasActions: boolean;
  readonly sorting?: Sorting | null;
  readonly onSort?: (sorting: Sorting | null) => void;
}

export function HeaderRow<Row>(props: HeaderRowProps<Row>) {
  const { columns, ids, selection, hasActions, sorting, onSort } = props;
  return (
    <thead>
      <tr aria-rowindex={1}>
        {selection === undefined ? null : (
          <th scope="col" className={styles.headCell}>
            <SelectAll ids={ids} selection={selection} />
          </th>
        )}
        {columns.map((column) => {
          const sorted = sorting?.column === column.id ? sorting : null;
          return (
            <th
              key={column.id}
              scope="col"
              className={styles.headCell}
              data-align={column.align}
              aria-sort={sorted === null ? undefined : sortName(sorted)}
            >
              {column.sort === undefined || onSort === undefined ? (
                <span className={styles.headText}>{column.header}</span>
              ) : (
                <button
                  type="button"
                  className={styles.sort}
                  onClick={() => onSort(nextSorting(column.id, sorted))}
                >
                  <span className={styles.headText}>{column.header}</span>
                  {sorted === null ? null : <Arrow descending={sorted.descending} />}
                </button>
              )}
            </th>
          );
        })}
        {hasActions ? (
          <th scope="col" className={styles.headCell}>
            <span className="visually-hidden">Actions</span>
          </th>
        ) : null}
      </tr>
    </thead>
  );
}

const sortName = ({ descending }: Sorting) => (descending ? 'descending' : 'ascending');

/** Ascending, descending, then as the server sends them. */
function nextSorting(column: string, sorted: Sorting | null): Sorting | null {
  if (sorted === null) return { column, descending: false };
  return sorted.descending ? null : { column, descending: true };
}

function Arrow({ descending }: { readonly descending: boolean }) {
  const Icon = descending ? ArrowDown : ArrowUp;
  return <Icon size={13} aria-hidden="true" />;
}

function SelectAll({ ids, selection }: { ids: readonly string[]; selection: RowSelection }) {
  const box = useRef<HTMLInputElement>(null);
  const chosen = ids.filter((id) => selection.ids.has(id)).length;
  const all = ids.length > 0 && chosen === ids.length;
  // The attribute for "some of them" exists only as a property.
  useEffect(() => {
    if (box.current) box.current.indeterminate = chosen > 0 && !all;
  }, [chosen, all]);
  return (
    <label className={styles.checkLabel}>
      <input
        ref={box}
        type="checkbox"
        className={styles.check}
        aria-label="Select all rows that are loaded"
        checked={all}
        onChange={() => selection.onChange(new Set(all ? [] : ids))}
      />
    </label>
  );
}
