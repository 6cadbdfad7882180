import { createLink, type LinkComponent } from '@tanstack/react-router';
import type { ComponentProps } from 'react';
import { classNames } from '../../ui/class-names.ts';
import { ROW_FOCUS } from '../../ui/table/row-navigation.ts';
import styles from './name-link.module.css';

function NameAnchor({ className, children, ...rest }: ComponentProps<'a'>) {
  return (
    <a {...rest} className={classNames(styles.name, className)} {...{ [ROW_FOCUS]: '' }}>
      <bdi>{children}</bdi>
    </a>
  );
}

const Routed = createLink(NameAnchor);

/** The name of a row, which leads to its page and takes the focus when keyboards move through the rows. */
export const NameLink: LinkComponent<typeof NameAnchor> = (props) => <Routed {...props} />;

/** The names of what an action is about. */
export function NameList({ names }: { readonly names: readonly string[] }) {
  return (
    <ul className={styles.names}>
      {names.map((name) => (
        <li key={name}>
          <bdi>{name}</bdi>
        </li>
      ))}
    </ul>
  );
}
