import { EventTable } from '../../domain/events/event-table.tsx';
import styles from './fleet.module.css';
import { useFleet } from './fleet-context.tsx';

/** The events of the fleet and its instances. */
export function FleetEventsPage() {
  const { id } = useFleet();
  return (
    <div className={styles.tableArea}>
      <EventTable filter={{ within_fleets: [id] }} />
    </div>
  );
}
