import type { Run } from '@dstack/contract/wire';
import { Link } from '@tanstack/react-router';
import { runRef } from '../../data/runs/run-row.ts';
import type { LogLine } from '../../domain/logs/line-reader.ts';
import { LogLineView } from '../../domain/logs/log-line-view.tsx';
import { noMarks } from '../../domain/logs/log-search.ts';
import { useLog } from '../../domain/logs/use-log.ts';
import { chooseSubmission } from '../../domain/runs/submissions.ts';
import { buttonClass } from '../../ui/button/button.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { ScrollRegion } from '../../ui/panel/scroll-region.tsx';
import styles from './last-lines-panel.module.css';

const LINES = 14;
const LINES_OF_FAILURE = 20;

/** The end of the output, live. */
export function LastLinesPanel({ run }: { readonly run: Run }) {
  const chosen = chooseSubmission(run, undefined, undefined);
  if (chosen === null) return null;
  return <LastLines key={chosen.submission.id} run={run} submission={chosen.submission.id} />;
}

/** The end of the output of what has failed, within the card that explains it. */
export function FailureLines({ run }: { readonly run: Run }) {
  const chosen = chooseSubmission(run, undefined, undefined);
  if (chosen === null) return null;
  return (
    <LinesOfFailure
      key={chosen.submission.id}
      run={run}
      submission={chosen.submission.id}
      job={run.jobs.length > 1 ? chosen.job.job_spec.job_name : null}
    />
  );
}

interface LastLinesProps {
  readonly run: Run;
  readonly submission: string;
}

function LastLines(props: LastLinesProps) {
  const { lines, isComplete } = useLastLines(props, LINES);
  if (isComplete && lines.length === 0) return null;
  return (
    <Panel title="Latest output" flush actions={<AllLogs run={props.run} />}>
      <Lines lines={lines} isComplete={isComplete} />
    </Panel>
  );
}

/** `job`: whose output it is, where there are several. */
function LinesOfFailure(props: LastLinesProps & { readonly job: string | null }) {
  const { lines, isComplete } = useLastLines(props, LINES_OF_FAILURE);
  if (lines.length === 0) return null;
  return (
    <section className={styles.failure} aria-label="Last output">
      <header className={styles.head}>
        <h3 className={styles.heading}>
          Last output{props.job === null ? '' : ' of '}
          <bdi>{props.job}</bdi>
        </h3>
        <AllLogs run={props.run} />
      </header>
      <Lines lines={lines} isComplete={isComplete} />
    </section>
  );
}

function useLastLines({ run, submission }: LastLinesProps, count: number) {
  const target = { project: run.project_name, run: run.run_spec.run_name ?? '', submission };
  const { snapshot, state } = useLog(target, { firstLines: count * 4 });
  return { lines: snapshot.lines.slice(-count), isComplete: state.kind === 'complete' };
}

interface LinesProps {
  readonly lines: readonly LogLine[];
  readonly isComplete: boolean;
}

function Lines({ lines, isComplete }: LinesProps) {
  return (
    <ScrollRegion
      label="The last lines"
      className={styles.lines}
      data-complete={isComplete || undefined}
    >
      {lines.map((line) => (
        <div key={line.id} className={styles.line}>
          <LogLineView line={line} marksOf={noMarks} currentHit={null} />
        </div>
      ))}
      {lines.length > 0 ? null : <p className={styles.none}>No output yet.</p>}
    </ScrollRegion>
  );
}

function AllLogs({ run }: { readonly run: Run }) {
  return (
    <Link
      to="/projects/$project/runs/$run/logs"
      params={{ project: run.project_name, run: runRef(run) }}
      className={buttonClass({ variant: 'quiet', size: 'sm' })}
    >
      All logs
    </Link>
  );
}
