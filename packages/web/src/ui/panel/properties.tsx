import type { ReactNode } from 'react';
import styles from './properties.module.css';

export interface Property {
  readonly label: string;
  /** Null and undefined: the property is left out. */
  readonly value: ReactNode;
  /** Takes the whole width. */
  readonly wide?: boolean;
}

/** Labelled values in a grid that fills the width. */
export function Properties({ items }: { readonly items: readonly Property[] }) {
  return (
    <dl className={styles.grid}>
      {items
        .filter(({ value }) => value !== null && value !== undefined && value !== '')
        .map(({ label, value, wide }) => (
          <div key={label} className={styles.item} data-wide={wide || undefined}>
            <dt className={styles.label}>{label}</dt>
            <dd className={styles.value}>{value}</dd>
          </div>
        ))}
    </dl>
  );
}
