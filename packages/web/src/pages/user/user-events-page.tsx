import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { EventTable } from '../../domain/events/event-table.tsx';
import { Segments } from '../../ui/field/segments.tsx';
import { Toolbar } from '../../ui/table/toolbar.tsx';
import { useShownUser } from './shown-user.ts';
import styles from './user.module.css';

const route = getRouteApi('/shell/users/$user/events');

/** The events by the user, or those about the user: the server cannot return both together. */
export function UserEventsPage() {
  const { user } = useShownUser();
  const navigate = useNavigate();
  const { events = 'by' } = route.useSearch();
  const isAbout = events === 'about';
  return (
    <div className={styles.events}>
      <Toolbar
        end={
          <Link
            to="/events"
            search={isAbout ? { target_users: user.id } : { actor: user.id }}
            className={styles.link}
          >
            All events
          </Link>
        }
      >
        <Segments
          label="Which events"
          value={events}
          options={[
            ['by', 'By the user'],
            ['about', 'About the user'],
          ]}
          onChange={(chosen) =>
            void navigate({
              to: '.',
              search: { events: chosen === 'about' ? 'about' : undefined },
              replace: true,
            })
          }
        />
      </Toolbar>
      <EventTable filter={isAbout ? { target_users: [user.id] } : { actors: [user.id] }} />
    </div>
  );
}
