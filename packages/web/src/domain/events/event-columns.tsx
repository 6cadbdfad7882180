import { readerText } from '@dstack/contract/event-text';
import type { Event } from '@dstack/contract/wire';
import type { TableColumn } from '../../ui/table/column.ts';
import { RelativeTime } from '../../ui/time/time.tsx';
import styles from './events.module.css';
import { TargetLink } from './target-link.tsx';

/** The columns of all lists of events. */
export const EVENT_COLUMNS: readonly TableColumn<Event>[] = [
  {
    id: 'time',
    header: 'Time',
    width: 110,
    card: 'status',
    cell: (event) => <RelativeTime at={event.recorded_at} />,
  },
  {
    id: 'message',
    header: 'Event',
    width: 280,
    grow: true,
    card: 'title',
    cell: (event) => <span title={event.message}>{readerText(event)}</span>,
    value: ({ message }) => message,
  },
  {
    id: 'targets',
    header: 'About',
    width: 260,
    yields: 2,
    card: 'detail',
    cell: (event) => (
      <span className={styles.targets}>
        {event.targets.map((target) => (
          <TargetLink key={target.id} target={target} at={Date.parse(event.recorded_at)} />
        ))}
      </span>
    ),
  },
  {
    id: 'actor',
    header: 'By',
    width: 110,
    yields: 1,
    card: 'detail',
    cell: (event) =>
      event.actor_user === null ? (
        <span className={styles.system}>server</span>
      ) : (
        <bdi>{event.actor_user}</bdi>
      ),
  },
];
