import type { ReactNode } from 'react';
import styles from './toolbar.module.css';

/** Filters on the left, actions on the right. */
export function Toolbar(props: { readonly children: ReactNode; readonly end?: ReactNode }) {
  return (
    <div className={styles.toolbar}>
      {props.children}
      <div className={styles.end}>{props.end}</div>
    </div>
  );
}

/** Replaces the toolbar's right part while rows are selected. */
export function SelectionBar(props: {
  readonly count: number;
  readonly noun: string;
  readonly onClear: () => void;
  readonly children: ReactNode;
}) {
  const { count, noun, onClear, children } = props;
  return (
    <div className={styles.selection} role="status">
      <span>
        {count} {noun}
        {count === 1 ? '' : 's'} selected
      </span>
      {children}
      <button type="button" className={styles.clear} onClick={onClear}>
        Clear
      </button>
    </div>
  );
}
