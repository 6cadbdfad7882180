import { Link } from '@tanstack/react-router';
import { Panel } from '../../ui/panel/panel.tsx';
import { EventTable } from './event-table.tsx';
import styles from './events.module.css';
import type { EventFilterName } from './events-search.ts';

/** The latest events about something, as a part of its page. */
export function EventsPanel(props: { readonly filter: EventFilterName; readonly id: string }) {
  return (
    <Panel
      title="Events"
      flush
      actions={
        <Link to="/events" search={{ [props.filter]: props.id }} className={styles.all}>
          All events
        </Link>
      }
    >
      <div className={styles.panel}>
        <EventTable filter={{ [props.filter]: [props.id] }} inline />
      </div>
    </Panel>
  );
}
