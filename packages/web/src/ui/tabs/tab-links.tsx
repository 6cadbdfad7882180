import type { ReactNode } from 'react';
import styles from './tab-links.module.css';

/** The class of the links inside of {@link TabLinks}. */
export const tabClass: string = styles.tab ?? '';

/** Parts of a page that have addresses of their own. The children are links. */
export function TabLinks(props: { readonly label: string; readonly children: ReactNode }) {
  return (
    <nav aria-label={props.label} className={styles.tabs} data-tabs="">
      {props.children}
    </nav>
  );
}
