import { memo } from 'react';
import type { TableColumn } from './column.ts';
import styles from './data-table.module.css';
import type { RowActionsOf } from './row-action.ts';
import { RowActions } from './row-actions.tsx';

export interface RowProps<Row> {
  readonly row: Row;
  readonly id: string;
  readonly name: string;
  readonly index: number;
  readonly columns: readonly TableColumn<Row>[];
  readonly selectable: boolean;
  readonly selected: boolean;
  readonly onSelect: (id: string, on: boolean) => void;
  /** Null: rows have no actions. */
  readonly actionsOf: RowActionsOf<Row> | null;
  readonly onMenu: (row: Row, anchor: HTMLElement) => void;
}

/** Unchanged rows are not drawn again while the table scrolls or another row changes. */
export const DataRow = memo(function DataRow<Row>(props: RowProps<Row>) {
  const { row, name, index, columns, selectable, selected, actionsOf, onMenu } = props;
  return (
    <tr
      className={styles.row}
      data-index={index}
      data-selected={selected || undefined}
      aria-rowindex={index + 2}
    >
      {selectable ? (
        <td className={styles.cell}>
          <SelectRow {...props} />
        </td>
      ) : null}
      {columns.map(({ id, align, cell }) => (
        <td key={id} className={styles.cell} data-align={align}>
          {cell(row)}
        </td>
      ))}
      {actionsOf === null ? null : (
        <td className={styles.actionsCell}>
          <RowActions
            name={name}
            actions={actionsOf(row)}
            onMenu={(anchor) => onMenu(row, anchor)}
          />
        </td>
      )}
    </tr>
  );
}, isSameRow) as <Row>(props: RowProps<Row>) => React.ReactNode;

export function isSameRow<Row>(before: RowProps<Row>, after: RowProps<Row>): boolean {
  return (
    before.row === after.row &&
    before.index === after.index &&
    before.selected === after.selected &&
    before.columns === after.columns &&
    before.onSelect === after.onSelect &&
    before.actionsOf === after.actionsOf
  );
}

export function SelectRow<Row>(
  props: Pick<RowProps<Row>, 'id' | 'name' | 'selected' | 'onSelect'>,
) {
  const { id, name, selected, onSelect } = props;
  return (
    <label className={styles.checkLabel}>
      <input
        type="checkbox"
        className={styles.check}
        aria-label={`Select ${name}`}
        checked={selected}
        onChange={(event) => onSelect(id, event.target.checked)}
      />
    </label>
  );
}
