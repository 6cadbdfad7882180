import styles from './data-table.module.css';

export interface GroupRowProps {
  readonly name: string;
  readonly count: number;
  readonly index: number;
  /** The number of cells in a row: those of the columns, of the box and of the actions. */
  readonly cells: number;
  /** Rows of the group may still be loaded. */
  readonly isPartial: boolean;
}

/** The heading of a group of rows. */
export function GroupRow(props: GroupRowProps) {
  const { index, cells } = props;
  return (
    <tr className={styles.group} data-index={index} aria-rowindex={index + 2}>
      <th scope="colgroup" colSpan={cells} className={styles.groupCell}>
        <Heading {...props} />
      </th>
    </tr>
  );
}

/** The same on narrow screens. */
export function GroupCard(props: GroupRowProps) {
  return (
    <li className={styles.groupCard} data-index={props.index}>
      <Heading {...props} />
    </li>
  );
}

function Heading({ name, count, isPartial }: GroupRowProps) {
  return (
    <>
      <bdi>{name}</bdi>{' '}
      <span className={styles.groupCount}>
        {count.toLocaleString('en')}
        {isPartial ? '+' : ''}
      </span>
    </>
  );
}
