import type { Run } from '@dstack/contract/wire';
import { Link } from '@tanstack/react-router';
import { LogLineView } from '../../domain/logs/log-line-view.tsx';
import { noMarks } from '../../domain/logs/log-search.ts';
import { useLog } from '../../domain/logs/use-log.ts';
import { chooseSubmission } from '../../domain/runs/submissions.ts';
import { buttonClass } from '../../ui/button/button.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { ScrollRegion } from '../../ui/panel/scroll-region.tsx';
import styles from './last-lines-panel.module.css';

const LINES = 14;

/** The end of the output, live. */
export function LastLinesPanel({ run }: { readonly run: Run }) {
  const chosen = chooseSubmission(run, undefined, undefined);
  if (chosen === null) return null;
  return <LastLines key={chosen.submission.id} run={run} submission={chosen.submission.id} />;
}

function LastLines({ run, submission }: { readonly run: Run; readonly submission: string }) {
  const target = { project: run.project_name, run: run.run_spec.run_name ?? '', submission };
  const { snapshot, state } = useLog(target, { firstLines: LINES * 4 });
  const lines = snapshot.lines.slice(-LINES);
  const isComplete = state.kind === 'complete';
  if (isComplete && lines.length === 0) return null;
  return (
    <Panel
      title="Latest output"
      flush
      actions={
        <Link
          to="/projects/$project/runs/$run/logs"
          params={{ project: target.project, run: target.run }}
          className={buttonClass({ variant: 'quiet', size: 'sm' })}
        >
          All logs
        </Link>
      }
    >
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
    </Panel>
  );
}
