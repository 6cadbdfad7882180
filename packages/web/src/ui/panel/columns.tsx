import type { ReactNode } from 'react';
import styles from './columns.module.css';

/** A wide column and a narrow one; below each other where there is no room. */
export function TwoColumns(props: { readonly main: ReactNode; readonly side: ReactNode }) {
  return (
    <div className={styles.columns}>
      <div className={styles.column}>{props.main}</div>
      <div className={styles.column}>{props.side}</div>
    </div>
  );
}

/** Panels below each other, as wide as they can be read. */
export function Stack(props: { readonly children: ReactNode; readonly narrow?: boolean }) {
  return (
    <div className={styles.column} data-narrow={props.narrow || undefined}>
      {props.children}
    </div>
  );
}
