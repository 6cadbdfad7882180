import { memo } from 'react';
import styles from './data-table.module.css';
import { RowActions } from './row-actions.tsx';
import {
  isSameContent,
  isSameRow,
  type RowContentProps,
  type RowProps,
  SelectRow,
} from './table-row.tsx';

/** A row on a narrow screen: title and status, below them the details. */
export const CardRow = memo(function CardRow<Row>({ index, ...content }: RowProps<Row>) {
  return (
    <li className={styles.card} data-index={index} data-selected={content.selected || undefined}>
      <CardContent {...content} />
    </li>
  );
}, isSameRow) as <Row>(props: RowProps<Row>) => React.ReactNode;

const CardContent = memo(function CardContent<Row>(props: RowContentProps<Row>) {
  const { row, name, columns, selectable, actionsOf, onMenu } = props;
  const at = (place: string) => columns.filter(({ card }) => card === place);
  return (
    <>
      {selectable ? <SelectRow {...props} /> : null}
      <div className={styles.cardBody}>
        <div className={styles.cardHead}>
          <span className={styles.cardTitle}>
            {at('title').map(({ id, cell }) => (
              <span key={id}>{cell(row)}</span>
            ))}
          </span>
          {at('status').map(({ id, cell }) => (
            <span key={id} className={styles.cardStatus}>
              {cell(row)}
            </span>
          ))}
        </div>
        <div className={styles.cardDetails}>
          {at('detail').map(({ id, cell }) => (
            <span key={id} className={styles.cardDetail}>
              {cell(row)}
            </span>
          ))}
        </div>
      </div>
      {actionsOf === null ? null : (
        <div>
          <RowActions
            name={name}
            actions={actionsOf(row)}
            onMenu={(anchor) => onMenu(row, anchor)}
          />
        </div>
      )}
    </>
  );
}, isSameContent) as <Row>(props: RowContentProps<Row>) => React.ReactNode;
