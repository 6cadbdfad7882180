import type { Event } from '@dstack/contract/wire';
import { Link, type LinkProps } from '@tanstack/react-router';
import { type ReactNode, useContext } from 'react';
import { placeHash } from '../logs/log-place.ts';
import styles from './events.module.css';
import { type JobPlace, JobPlacesContext } from './job-places.ts';

type Target = Event['targets'][number];

export interface TargetLinkProps {
  readonly target: Target;
  /** When it happened, in milliseconds since 1970. */
  readonly at: number;
}

/** The object that an event is about, as a link where it has a page. */
export function TargetLink({ target, at }: TargetLinkProps) {
  const place = useContext(JobPlacesContext).get(target.id);
  const label = (
    <>
      <span className={styles.type}>{target.type}</span> <bdi>{target.name}</bdi>
    </>
  );
  return (
    <span className={styles.target}>
      {place === undefined ? linked(target, label) : linkToLogs(place, at, label)}
    </span>
  );
}

function linkToLogs({ project, run, job, attempt }: JobPlace, at: number, label: ReactNode) {
  return (
    <Link
      to="/projects/$project/runs/$run/logs"
      params={{ project, run }}
      search={{ job, attempt }}
      hash={placeHash({ offset: null, time: at })}
      title="Logs from then on"
      className={styles.link}
    >
      {label}
    </Link>
  );
}

/** Names may have been used again, so that links have ids where the pages understand them. */
function linked(target: Target, label: ReactNode): ReactNode {
  const { name, id } = target;
  if (target.type === 'user') return link({ to: '/users/$user', params: { user: name } }, label);
  const project = target.project_name;
  if (project === null || target.is_project_deleted) return label;
  switch (target.type) {
    case 'project':
      return link({ to: '/projects/$project', params: { project } }, label);
    case 'run':
      return link({ to: '/projects/$project/runs/$run', params: { project, run: id } }, label);
    case 'fleet':
      return link(
        { to: '/projects/$project/fleets/$fleet', params: { project, fleet: id } },
        label,
      );
    case 'instance':
      return link(
        { to: '/projects/$project/instances/$instance', params: { project, instance: id } },
        label,
      );
    case 'volume':
      return link(
        { to: '/projects/$project/volumes/$volume', params: { project, volume: name } },
        label,
      );
    case 'gateway':
      return link(
        { to: '/projects/$project/gateways/$gateway', params: { project, gateway: name } },
        label,
      );
    default:
      return label;
  }
}

function link(place: LinkProps, label: ReactNode): ReactNode {
  return (
    <Link {...place} className={styles.link}>
      {label}
    </Link>
  );
}
