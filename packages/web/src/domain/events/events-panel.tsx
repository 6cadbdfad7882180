import { Link } from '@tanstack/react-router';
import { Panel } from '../../ui/panel/panel.tsx';
import { EventTable } from './event-table.tsx';
import styles from './events.module.css';
import type { EventFilterName } from './events-search.ts';

export interface EventsPanelProps {
  readonly title?: string;
  /** `actors`: what a user did. */
  readonly filter: EventFilterName | 'actors';
  readonly id: string;
}

/** The latest events about something, or by somebody, as a part of its page. */
export function EventsPanel(props: EventsPanelProps) {
  const { title = 'Events', filter, id } = props;
  return (
    <Panel
      title={title}
      flush
      actions={
        <Link
          to="/events"
          search={{ [filter === 'actors' ? 'actor' : filter]: id }}
          className={styles.all}
        >
          All events
        </Link>
      }
    >
      <div className={styles.panel}>
        <EventTable filter={{ [filter]: [id] }} inline />
      </div>
    </Panel>
  );
}
