import { useMemo } from 'react';
import { EventTable } from '../../domain/events/event-table.tsx';
import { JobPlacesContext } from '../../domain/events/job-places.ts';
import styles from './run.module.css';
import { useRun } from './run-context.tsx';

/** The events of the run and its jobs. */
export function RunEventsPage() {
  const run = useRun();
  const places = useMemo(
    () =>
      new Map(
        run.jobs.flatMap(({ job_spec: { job_name: job }, job_submissions: submissions }) =>
          submissions.map(({ id, submission_num: number }) => {
            const of = { project: run.project_name, run: run.id };
            return [id, { ...of, job, attempt: number + 1 }] as const;
          }),
        ),
      ),
    [run],
  );
  return (
    <div className={styles.tableArea}>
      <JobPlacesContext value={places}>
        <EventTable filter={{ within_runs: [run.id] }} />
      </JobPlacesContext>
    </div>
  );
}
