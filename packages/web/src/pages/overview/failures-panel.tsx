import type { Run } from '@dstack/contract/wire';
import { Link } from '@tanstack/react-router';
import { runRow } from '../../data/runs/run-row.ts';
import { runFailureText } from '../../domain/runs/failure-text.ts';
import { runLook } from '../../domain/runs/run-look.ts';
import { Skeleton } from '../../ui/feedback/skeleton.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { StatusBadge } from '../../ui/status/status-badge.tsx';
import { RelativeTime } from '../../ui/time/time.tsx';
import styles from './overview.module.css';

/** The last failed runs, each with its reason and a way to its output if it has one. */
export function FailuresPanel({ failures }: { readonly failures: readonly Run[] | undefined }) {
  if (failures === undefined) {
    return (
      <Panel title="Last failures">
        <Skeleton lines={4} />
      </Panel>
    );
  }
  return (
    <Panel title="Last failures" flush>
      {failures.length === 0 ? (
        <p className={styles.nothing}>No run has failed.</p>
      ) : (
        <ul>
          {failures.map((run) => (
            <Failure key={run.id} run={run} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Failure({ run }: { readonly run: Run }) {
  const row = runRow(run);
  const params = { project: row.project, run: row.ref };
  const reason = runFailureText(row);
  const look = runLook(row);
  return (
    <li className={styles.entry}>
      <div className={styles.entryHead}>
        <Link to="/projects/$project/runs/$run" params={params} className={styles.name}>
          <bdi>{row.name}</bdi>
        </Link>
        <StatusBadge look={look} />
      </div>
      {reason.toLowerCase() === look.text.toLowerCase() ? null : (
        <p className={styles.reason}>{reason}</p>
      )}
      <p className={styles.entryFacts}>
        <span>{row.project}</span>
        <bdi>{row.user}</bdi>
        <RelativeTime at={row.finishedAt ?? row.submittedAt} />
        {mayHaveOutput(run) ? (
          <Link
            to="/projects/$project/runs/$run/logs"
            params={params}
            className={styles.logs}
            aria-label={`Logs of ${row.name}`}
          >
            Logs
          </Link>
        ) : null}
      </p>
    </li>
  );
}

/** A run that never had a place has none; of a run that was tried again, only the last attempt is known here. */
function mayHaveOutput({ jobs }: Run): boolean {
  const attempts = jobs.flatMap(({ job_submissions: all }) => all);
  return attempts.some((one) => one.submission_num > 0 || one.job_provisioning_data !== null);
}
