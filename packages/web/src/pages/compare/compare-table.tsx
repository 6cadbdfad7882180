import type { Run } from '@dstack/contract/wire';
import { Link } from '@tanstack/react-router';
import { X } from 'lucide-react';
import type { ReactNode } from 'react';
import { IconButton } from '../../ui/button/button.tsx';
import { ScrollRegion } from '../../ui/panel/scroll-region.tsx';
import styles from './compare.module.css';

/** A column: one of the compared runs. */
export interface ComparedRun {
  readonly run: Run;
  /** Different from those of the other runs. */
  readonly label: string;
  readonly onRemove: () => void;
}

export interface CompareRow {
  readonly id: string;
  readonly label: ReactNode;
  /** In the order of the runs. */
  readonly cells: readonly ReactNode[];
  /** Is emphasised among others that are the same. */
  readonly differs?: boolean;
}

interface CompareTableProps {
  readonly label: string;
  readonly columns: readonly ComparedRun[];
  readonly rows: readonly CompareRow[];
  /** Columns can be taken away here. */
  readonly removable?: boolean;
}

/** A column for each run. The names of rows stay in view while the columns scroll. */
export function CompareTable({ label, columns, rows, removable }: CompareTableProps) {
  return (
    <ScrollRegion label={`${label} of the runs`} className={styles.scroller}>
      <table aria-label={label} className={styles.table}>
        <thead>
          <tr>
            <td className={styles.corner} />
            {columns.map(({ run, label: name, onRemove }) => (
              <th key={run.id} scope="col" className={styles.head}>
                <span className={styles.headLine}>
                  <Link
                    to="/projects/$project/runs/$run"
                    params={{ project: run.project_name, run: run.id }}
                    className={styles.name}
                  >
                    <bdi>{name}</bdi>
                  </Link>
                  {removable ? (
                    <IconButton size="sm" label={`Remove ${name}`} onClick={onRemove}>
                      <X size={14} />
                    </IconButton>
                  ) : null}
                </span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ id, label: name, cells, differs }) => (
            <tr key={id} data-differs={differs || undefined}>
              <th scope="row" className={styles.key}>
                {name}
              </th>
              {columns.map(({ run }, index) => (
                <td key={run.id} className={styles.cell}>
                  {cells[index]}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollRegion>
  );
}
