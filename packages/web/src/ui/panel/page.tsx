import type { ReactNode } from 'react';
import { classNames } from '../class-names.ts';
import styles from './page.module.css';

export interface PageProps {
  readonly title: ReactNode;
  /** Beside the title: status, counts. */
  readonly beside?: ReactNode;
  /** Below the title. */
  readonly subtitle?: ReactNode;
  readonly actions?: ReactNode;
  /** Fills the height of the window; the content scrolls by itself. */
  readonly fixed?: boolean;
  readonly children: ReactNode;
}

/** The frame of a page: its heading, its actions, its content. */
export function PageFrame({ title, beside, subtitle, actions, fixed, children }: PageProps) {
  return (
    <div className={classNames(styles.page, fixed && styles.fixed)}>
      <header className={styles.head}>
        <div className={styles.titles}>
          <div className={styles.line}>
            <h1 className={styles.title}>{title}</h1>
            {beside}
          </div>
          {subtitle === undefined ? null : <div className={styles.subtitle}>{subtitle}</div>}
        </div>
        {actions === undefined ? null : <div className={styles.actions}>{actions}</div>}
      </header>
      {children}
    </div>
  );
}
