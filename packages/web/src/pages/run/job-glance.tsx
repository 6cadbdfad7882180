import { isJobFinished, isJobRunning } from '@dstack/contract/status';
import type { Job } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { logEnd } from '../../data/logs/log-end.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { lastLine } from '../../domain/logs/last-line.ts';
import { LogLineView } from '../../domain/logs/log-line-view.tsx';
import { lineText, noMarks } from '../../domain/logs/log-search.ts';
import type { RecentUse } from '../../domain/metrics/recent-use.ts';
import { RecentUseView } from '../../domain/metrics/recent-use-view.tsx';
import styles from './job-glance.module.css';

/** The run whose jobs are looked at. */
export interface GlanceRun {
  readonly project: string;
  readonly run: string;
  readonly runId: string;
}

interface JobGlanceProps {
  readonly run: GlanceRun;
  readonly job: Job;
}

interface JobUseProps extends JobGlanceProps {
  /** The kind of use that the heading of the column names; any other is named in the row. */
  readonly expected: RecentUse['kind'];
}

type Submission = Job['job_submissions'][number];

/** How busy a running job was in the last minutes. Only visible rows ask for it. */
export function JobUse({ run, job, expected }: JobUseProps) {
  const latest = job.job_submissions.at(-1);
  if (latest === undefined || !isJobRunning(latest.status)) return null;
  const { replica_num, job_num } = job.job_spec;
  const target = { ...run, replica: replica_num, job: job_num, submission: latest.id };
  return <RecentUseView target={target} expected={expected} />;
}

/** The last line that the job printed. Only visible rows ask for it. */
export function JobLastLine({ run, job }: JobGlanceProps) {
  const latest = job.job_submissions.at(-1);
  if (latest === undefined || !mayHavePrinted(latest)) return null;
  return <LastLine run={run} job={job} latest={latest} />;
}

const mayHavePrinted = ({ status }: Submission): boolean =>
  isJobRunning(status) || isJobFinished(status);

function LastLine({ run, latest }: JobGlanceProps & { readonly latest: Submission }) {
  const target = { project: run.project, run: run.run, submission: latest.id };
  const isOver = isJobFinished(latest.status);
  const { data: line } = useQuery({
    ...logEnd(useClient(), target, isOver),
    select: lastLine,
  });
  if (line == null) return null;
  return (
    <span className={styles.line} title={lineText(line).slice(0, MOST_TITLE)}>
      <LogLineView line={line} marksOf={noMarks} currentHit={null} />
    </span>
  );
}

const MOST_TITLE = 500;
