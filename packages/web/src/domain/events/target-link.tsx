import type { Event } from '@dstack/contract/wire';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import styles from './events.module.css';

type Target = Event['targets'][number];

/** What an event is about, as a link where it has a page. */
export function TargetLink({ target }: { readonly target: Target }) {
  const label = (
    <>
      <span className={styles.type}>{target.type}</span> <bdi>{target.name}</bdi>
    </>
  );
  return <span className={styles.target}>{linked(target, label)}</span>;
}

function linked(target: Target, label: ReactNode): ReactNode {
  const project = target.project_name;
  if (target.type === 'user') {
    return (
      <Link to="/users/$user" params={{ user: target.name }} className={styles.link}>
        {label}
      </Link>
    );
  }
  if (project === null || target.is_project_deleted) return label;
  if (target.type === 'project') {
    return (
      <Link to="/projects/$project" params={{ project }} className={styles.link}>
        {label}
      </Link>
    );
  }
  switch (target.type) {
    case 'run':
      return (
        <Link
          to="/projects/$project/runs/$run"
          params={{ project, run: target.id }}
          className={styles.link}
        >
          {label}
        </Link>
      );
    case 'fleet':
      return (
        <Link
          to="/projects/$project/fleets/$fleet"
          params={{ project, fleet: target.id }}
          className={styles.link}
        >
          {label}
        </Link>
      );
    case 'instance':
      return (
        <Link
          to="/projects/$project/instances/$instance"
          params={{ project, instance: target.id }}
          className={styles.link}
        >
          {label}
        </Link>
      );
    case 'volume':
      return (
        <Link
          to="/projects/$project/volumes/$volume"
          params={{ project, volume: target.name }}
          className={styles.link}
        >
          {label}
        </Link>
      );
    case 'gateway':
      return (
        <Link
          to="/projects/$project/gateways/$gateway"
          params={{ project, gateway: target.name }}
          className={styles.link}
        >
          {label}
        </Link>
      );
    default:
      return label;
  }
}
