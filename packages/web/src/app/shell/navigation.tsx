import { Link, useRouterState } from '@tanstack/react-router';
import { Fragment } from 'react';
import { useUser } from '../../data/session/session-context.tsx';
import { Logo } from '../../ui/logo/logo.tsx';
import {
  type NavigationGroup,
  type NavigationItem,
  navigationFor,
  type SectionPath,
  sectionOf,
} from '../navigation.ts';
import styles from './navigation.module.css';

/** The list of sections. `onFollow`: a link was followed. */
export function Navigation({ onFollow }: { readonly onFollow?: () => void }) {
  const groups = navigationFor(useUser());
  const current = useRouterState({ select: ({ location }) => sectionOf(location.pathname) });
  return (
    <nav aria-label="Sections" className={styles.nav}>
      <Link to="/" className={styles.brand} onClick={onFollow} aria-label="dstack, overview">
        <Logo />
      </Link>
      {groups.map((group) => (
        <Group key={group.label ?? ''} group={group} current={current} onFollow={onFollow} />
      ))}
    </nav>
  );
}

interface GroupProps {
  readonly group: NavigationGroup;
  /** The section of the page. */
  readonly current: SectionPath | null;
  readonly onFollow: (() => void) | undefined;
}

function Group({ group, current, onFollow }: GroupProps) {
  return (
    <Fragment>
      {group.label === null ? null : <h2 className={styles.heading}>{group.label}</h2>}
      <ul className={styles.list}>
        {group.items.map((item) => (
          <li key={item.to}>
            <Item item={item} isCurrent={item.to === current} onFollow={onFollow} />
          </li>
        ))}
      </ul>
    </Fragment>
  );
}

interface ItemProps {
  readonly item: NavigationItem;
  readonly isCurrent: boolean;
  readonly onFollow: (() => void) | undefined;
}

function Item({ item, isCurrent, onFollow }: ItemProps) {
  const { to, label, icon: Icon } = item;
  return (
    <Link
      to={to}
      className={styles.item}
      // Pages of a section may have addresses below that of their project.
      activeOptions={{ exact: true, includeSearch: false }}
      aria-current={isCurrent ? 'true' : undefined}
      onClick={onFollow}
    >
      <Icon size={16} aria-hidden="true" />
      <span>{label}</span>
    </Link>
  );
}
