import { useVirtualizer } from '@tanstack/react-virtual';
import { type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { classNames } from '../class-names.ts';
import { MenuAt } from '../menu/menu-at.tsx';
import type { MenuEntry } from '../menu/menu-entry.ts';
import { useLatest } from '../use-latest.ts';
import { CardRow } from './card-row.tsx';
import type { Sorting, TableColumn } from './column.ts';
import styles from './data-table.module.css';
import { type Density, ROW_HEIGHTS } from './density.ts';
import { fitColumns } from './fit-columns.ts';
import { GroupCard, GroupRow } from './group-row.tsx';
import { HeaderRow } from './header-row.tsx';
import type { RowAction, RowActionsOf } from './row-action.ts';
import { rowNavigation } from './row-navigation.ts';
import type { RowSelection } from './row-selection.ts';
import { rowsAhead } from './rows-ahead.ts';
import { tableItems } from './table-items.ts';
import { DataRow } from './table-row.tsx';
import { useNarrow } from './use-narrow.ts';
import { useWidth } from './use-width.ts';

export interface DataTableProps<Row> {
  /** The name of the table for screen readers. */
  readonly label: string;
  /** Undefined while the first rows are being loaded. */
  readonly rows: readonly Row[] | undefined;
  readonly columns: readonly TableColumn<Row>[];
  readonly rowId: (row: Row) => string;
  /** The name of a row, for its checkbox. */
  readonly rowName: (row: Row) => string;
  readonly selection?: RowSelection;
  readonly sorting?: Sorting | null;
  readonly onSort?: (sorting: Sorting | null) => void;
  /** Asked for when the end comes near. */
  readonly onMore?: (() => void) | undefined;
  /** In place of the rows if there are none. */
  readonly empty: ReactNode;
  readonly density?: Density;
  /** The name of the group of a row. Pass the same function as long as its answers are the same. */
  readonly groupOf?: ((row: Row) => string) | undefined;
  /** More rows of the groups are being loaded. */
  readonly isPartial?: boolean;
  /** The actions for a row. Pass the same function as long as its answers are the same. */
  readonly rowActions?: RowActionsOf<Row>;
  /** Grows with its rows up to the page's height instead of filling it. */
  readonly inline?: boolean;
}

const CARD_HEIGHT = 76;
const HEADER_HEIGHT = 36;
const BORDERS = 2;
/** Widths in px of the boxes that select rows, and of the margin where rows cannot be selected. */
const BOX_WIDTH = 40;
const MARGIN = 12;
/** The width in px of the button that opens the menu of a row. */
const ACTIONS_WIDTH = 44;
const SKELETON_ROWS = 8;

/**
 * A table that draws only what is visible, so tens of thousands of rows scroll smoothly. Narrow screens
 * show cards. Rows are moved through with `j`, `k` and the arrow keys, and selected with `x`.
 */
export function DataTable<Row>(props: DataTableProps<Row>) {
  const narrow = useNarrow();
  // Rows and cards differ in height, which the drawing below measures once.
  const { density = 'comfortable' } = props;
  return <VirtualRows key={`${narrow} ${density}`} {...props} density={density} narrow={narrow} />;
}

interface VirtualRowsProps<Row> extends DataTableProps<Row> {
  readonly density: Density;
  readonly narrow: boolean;
}

function VirtualRows<Row>(props: VirtualRowsProps<Row>) {
  const { label, rows, rowId, rowName, selection, onMore, empty, inline, density, narrow } = props;
  const { rowActions, groupOf, isPartial = false } = props;
  const [menu, setMenu] = useState<{ row: Row; anchor: HTMLElement } | null>(null);
  const onMenu = useCallback((row: Row, anchor: HTMLElement) => setMenu({ row, anchor }), []);
  const scroller = useRef<HTMLDivElement>(null);
  const [room, scrollerRef] = useWidth(scroller);
  const beside = (selection ? BOX_WIDTH : MARGIN) + (rowActions ? ACTIONS_WIDTH : 0);
  const columns = useMemo(
    () =>
      narrow ? props.columns : fitColumns(props.columns, room === null ? null : room - beside),
    [narrow, props.columns, room, beside],
  );
  const toggle = useToggle(selection);
  const entries = useMemo(() => tableItems(rows ?? [], groupOf), [rows, groupOf]);
  const count = entries.length;
  const height = narrow ? CARD_HEIGHT : ROW_HEIGHTS[density];
  const idOf = useLatest(rowId);
  // Another function would have the places of all rows computed again.
  const keyOf = useCallback(
    (index: number) => {
      const entry = entries[index];
      if (entry === undefined) return index;
      return entry.kind === 'row' ? idOf.current(entry.row) : `group ${entry.name}`;
    },
    [entries, idOf],
  );
  const virtual = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    getItemKey: keyOf,
    overscan: 10,
    useFlushSync: false,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  // The end of what is loaded comes near, or none of it matches the filters.
  const isLoaded = rows !== undefined;
  useEffect(() => {
    if (isLoaded && last >= count - rowsAhead(last)) onMore?.();
  }, [isLoaded, count, last, onMore]);

  if (rows !== undefined && count === 0) return empty;
  const above = items[0]?.start ?? 0;
  const below = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  const shared = {
    ...{ columns, selectable: selection !== undefined, onSelect: toggle },
    ...{ actionsOf: rowActions ?? null, onMenu },
  };
  const cells = columns.length + (selection ? 1 : 0) + (rowActions ? 1 : 0);
  const [DrawnRow, DrawnGroup] = narrow ? [CardRow, GroupCard] : [DataRow, GroupRow];
  const visible = items.map(({ index, key }) => {
    const entry = entries[index];
    if (entry === undefined) return null;
    if (entry.kind === 'group') {
      return <DrawnGroup key={key} {...entry} {...{ index, cells, isPartial }} />;
    }
    const { row } = entry;
    const id = rowId(row);
    const selected = selection?.ids.has(id) ?? false;
    return <DrawnRow key={id} {...shared} {...{ row, id, name: rowName(row), index, selected }} />;
  });
  // Few rows make a small table, not one with an empty rest.
  const whole = (narrow ? 0 : HEADER_HEIGHT) + virtual.getTotalSize() + BORDERS;
  const frame = {
    ref: scrollerRef,
    style: rows === undefined || inline ? {} : { maxHeight: whole },
    className: classNames(styles.scroller, inline && styles.inline),
    'data-density': density,
    // Its rows may have nothing that takes the focus, and keyboards have to scroll it too.
    ...(inline && { tabIndex: 0, role: 'group', 'aria-label': label }),
    onKeyDown: rowNavigation(virtual, count, (index) => entries[index]?.kind === 'row'),
  };
  const rowMenu =
    rowActions === undefined ? null : (
      <MenuAt
        anchor={menu?.anchor ?? null}
        entries={menu === null ? [] : rowActions(menu.row).map(menuEntry)}
        onClose={() => setMenu(null)}
      />
    );
  if (narrow) {
    return (
      <div {...frame}>
        {rowMenu}
        <ul aria-label={label} className={styles.cards}>
          <li aria-hidden="true" style={{ height: above }} />
          {rows === undefined ? skeletonCards() : null}
          {visible}
          <li aria-hidden="true" style={{ height: below }} />
        </ul>
      </div>
    );
  }
  const width = columns.reduce((sum, column) => sum + column.width, beside);
  return (
    <div {...frame}>
      {rowMenu}
      <table
        aria-label={label}
        aria-rowcount={count + 1}
        aria-busy={rows === undefined}
        className={styles.table}
        style={{ minWidth: width }}
      >
        <colgroup>
          {selection === undefined ? null : <col style={{ width: BOX_WIDTH }} />}
          {columns.map(({ id, width, grow }) => (
            <col key={id} style={grow ? {} : { width }} />
          ))}
          {rowActions === undefined ? null : <col style={{ width: ACTIONS_WIDTH }} />}
        </colgroup>
        <HeaderRow
          {...props}
          columns={columns}
          ids={rows?.map(rowId) ?? []}
          hasActions={rowActions !== undefined}
        />
        {above > 0 ? <Spacer height={above} /> : null}
        <tbody>
          {rows === undefined ? skeletonRows(cells) : null}
          {visible}
        </tbody>
        {below > 0 ? <Spacer height={below} /> : null}
      </table>
    </div>
  );
}

function menuEntry({ label, icon: Icon, keys, danger, disabledReason, run }: RowAction): MenuEntry {
  return {
    kind: 'action',
    label,
    icon: <Icon size={15} />,
    onSelect: run,
    disabled: disabledReason != null,
    ...(keys === undefined ? {} : { keys }),
    ...(danger === undefined ? {} : { danger }),
  };
}

/** The same function at each rendering, so that a change of the selection draws only its rows again. */
function useToggle(selection: RowSelection | undefined): (id: string, on: boolean) => void {
  const latest = useLatest(selection);
  return useCallback(
    (id, on) => {
      if (latest.current === undefined) return;
      const ids = new Set(latest.current.ids);
      if (on) ids.add(id);
      else ids.delete(id);
      latest.current.onChange(ids);
    },
    [latest],
  );
}

function Spacer({ height }: { readonly height: number }) {
  return (
    <tbody aria-hidden="true">
      <tr>
        <td style={{ height }} />
      </tr>
    </tbody>
  );
}

const skeletonKeys = Array.from({ length: SKELETON_ROWS }, (_, index) => index);

function skeletonRows(cells: number): ReactNode {
  return skeletonKeys.map((key) => (
    <tr key={key} className={styles.row}>
      <td colSpan={cells} className={styles.cell}>
        <div className={styles.bone} style={{ width: `${82 - ((key * 17) % 40)}%` }} />
      </td>
    </tr>
  ));
}

function skeletonCards(): ReactNode {
  return skeletonKeys.map((key) => (
    <li key={key} className={styles.card}>
      <div className={styles.bone} style={{ width: `${70 - ((key * 17) % 30)}%` }} />
    </li>
  ));
}
