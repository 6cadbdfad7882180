import { Link } from '@tanstack/react-router';
import { Fragment } from 'react';
import { useUser } from '../../data/session/session-context.tsx';
import { Logo } from '../../ui/logo/logo.tsx';
import { type NavigationGroup, type NavigationItem, navigationFor } from '../navigation.ts';
import styles from './navigation.module.css';

/** The list of sections. `onFollow`: a link was followed. */
export function Navigation({ onFollow }: { readonly onFollow?: () => void }) {
  const groups = navigationFor(useUser());
  return (
    <nav aria-label="Sections" className={styles.nav}>
      <Link to="/" className={styles.brand} onClick={onFollow} aria-label="dstack, overview">
        <Logo />
      </Link>
      {groups.map((group) => (
        <Group key={group.label ?? ''} group={group} onFollow={onFollow} />
      ))}
    </nav>
  );
}

interface GroupProps {
  readonly group: NavigationGroup;
  readonly onFollow: (() => void) | undefined;
}

function Group({ group, onFollow }: GroupProps) {
  return (
    <Fragment>
      {group.label === null ? null : <h2 className={styles.heading}>{group.label}</h2>}
      <ul className={styles.list}>
        {group.items.map((item) => (
          <li key={item.to}>
            <Item item={item} onFollow={onFollow} />
          </li>
        ))}
      </ul>
    </Fragment>
  );
}

function Item({ item, onFollow }: { item: NavigationItem; onFollow: (() => void) | undefined }) {
  const { to, label, icon: Icon, exact } = item;
  return (
    <Link
      to={to}
      className={styles.item}
      activeOptions={{ exact: exact ?? false, includeSearch: false }}
      onClick={onFollow}
    >
      <Icon size={16} aria-hidden="true" />
      <span>{label}</span>
    </Link>
  );
}
