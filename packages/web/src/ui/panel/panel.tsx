import type { ReactNode } from 'react';
import { classNames } from '../class-names.ts';
import styles from './panel.module.css';

export interface PanelProps {
  readonly title?: string;
  readonly count?: number | undefined;
  /** Right of the title. */
  readonly actions?: ReactNode;
  /** Content that touches the edges, such as tables. */
  readonly flush?: boolean;
  readonly children: ReactNode;
}

/** A titled part of a page. */
export function Panel({ title, count, actions, flush, children }: PanelProps) {
  return (
    <section className={styles.panel} aria-label={title}>
      {title === undefined && actions === undefined ? null : (
        <header className={styles.head}>
          <h2 className={styles.title}>
            {title}
            {count === undefined ? null : <span className={styles.count}>{count}</span>}
          </h2>
          <div className={styles.actions}>{actions}</div>
        </header>
      )}
      <div className={classNames(styles.body, flush && styles.flush)}>{children}</div>
    </section>
  );
}
