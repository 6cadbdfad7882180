import { memo } from 'react';
import type { TableColumn } from './column.ts';
import styles from './data-table.module.css';
import type { RowActionsOf } from './row-action.ts';
import { RowActions } from './row-actions.tsx';

export interface RowContentProps<Row> {
  readonly row: Row;
  readonly id: string;
  readonly name: string;
  readonly columns: readonly TableColumn<Row>[];
  readonly selectable: boolean;
  readonly selected: boolean;
  readonly onSelect: (id: string, on: boolean) => void;
  /** Null: rows have no actions. */
  readonly actionsOf: RowActionsOf<Row> | null;
  readonly onMenu: (row: Row, anchor: HTMLElement) => void;
}

export interface RowProps<Row> extends RowContentProps<Row> {
  readonly index: number;
}

/** Unchanged rows are not drawn again while the table scrolls or another row changes. */
export const DataRow = memo(function DataRow<Row>({ index, ...content }: RowProps<Row>) {
  return (
    <tr
      className={styles.row}
      data-index={index}
      data-selected={content.selected || undefined}
      aria-rowindex={index + 2}
    >
      <Cells {...content} />
    </tr>
  );
}, isSameRow) as <Row>(props: RowProps<Row>) => React.ReactNode;

/** They do not depend on the place of the row: a new row on top moves all others. */
const Cells = memo(function Cells<Row>(props: RowContentProps<Row>) {
  const { row, name, columns, selectable, actionsOf, onMenu } = props;
  return (
    <>
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
    </>
  );
}, isSameContent) as <Row>(props: RowContentProps<Row>) => React.ReactNode;

export function isSameRow<Row>(before: RowProps<Row>, after: RowProps<Row>): boolean {
  return before.index === after.index && isSameContent(before, after);
}

export function isSameContent<Row>(
  before: RowContentProps<Row>,
  after: RowContentProps<Row>,
): boolean {
  return (
    before.row === after.row &&
    before.selected === after.selected &&
    before.columns === after.columns &&
    before.onSelect === after.onSelect &&
    before.actionsOf === after.actionsOf
  );
}

export function SelectRow<Row>(
  props: Pick<RowContentProps<Row>, 'id' | 'name' | 'selected' | 'onSelect'>,
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
