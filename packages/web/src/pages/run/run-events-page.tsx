import { EventTable } from '../../domain/events/event-table.tsx';
import styles from './run.module.css';
import { useRun } from './run-context.tsx';

/** What happened to the run and its jobs. */
export function RunEventsPage() {
  const { id } = useRun();
  return (
    <div className={styles.tableArea}>
      <EventTable filter={{ within_runs: [id] }} />
    </div>
  );
}
