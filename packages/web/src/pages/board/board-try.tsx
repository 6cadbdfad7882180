import type { RunPlan } from '@dstack/contract/wire';
import { lazy, Suspense, useEffect, useState } from 'react';
import { completionsAt } from '../../domain/launch/completion.ts';
import { useLaunchPlan } from '../../domain/launch/use-launch-plan.ts';
import { useSubmitRun } from '../../domain/launch/use-submit-run.ts';
import { Button } from '../../ui/button/button.tsx';
import { errorText } from '../../ui/feedback/error-text.ts';
import { InlineError } from '../../ui/feedback/inline-error.tsx';
import { Skeleton } from '../../ui/feedback/skeleton.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { useStatusAnnouncement } from '../../ui/status/use-status-announcement.ts';
import { planAnswer } from './answer-text.ts';
import styles from './board.module.css';

// The editor is larger than the board.
const YamlEditor = lazy(() =>
  import('../../ui/editor/yaml-editor.tsx').then((module) => ({ default: module.YamlEditor })),
);

interface BoardTryProps {
  readonly project: string;
  /** The plan of the present text; null: there is none. Pass the same function each time. */
  readonly onPlan: (plan: RunPlan | null) => void;
  readonly onClose: () => void;
}

/** A configuration, and where it would go if it was submitted now. */
export function BoardTry({ project, onPlan, onClose }: BoardTryProps) {
  const [text, setText] = useState('');
  const launch = useLaunchPlan(project, text);
  const submission = useSubmitRun(project, launch);
  const { plan, problems, isCurrent } = launch;
  const answer = plan === null ? null : planAnswer(plan);
  const error = submission.error ?? launch.error;
  useStatusAnnouncement('Plan', isCurrent ? answer : null);
  const shown = launch.spec === null ? null : plan;
  // The board around this part, which loads without it, draws the plan.
  useEffect(() => {
    onPlan(shown);
    return () => onPlan(null);
  }, [shown, onPlan]);
  return (
    <Panel title="Where would this go?">
      <div className={styles.try}>
        <div className={styles.editor}>
          <Suspense fallback={<Skeleton lines={6} />}>
            <YamlEditor
              label="Configuration in YAML"
              value={text}
              onChange={setText}
              onSubmit={() => void submission.submit()}
              marks={problems}
              complete={(source, offset) => completionsAt(launch.schema, source, offset)}
            />
          </Suspense>
        </div>
        <div className={styles.answer} aria-busy={!isCurrent}>
          {problems.length > 0 ? (
            <ul className={styles.answerText}>
              {problems.map(({ line, message }) => (
                <li key={`${line} ${message}`}>
                  Line {line}: {message}
                </li>
              ))}
            </ul>
          ) : (
            <p className={styles.answerText}>
              {text.trim() === ''
                ? 'Paste a configuration. Nothing is submitted until you do.'
                : (answer ?? 'The plan is being made.')}
            </p>
          )}
          {error === null ? null : <InlineError text={errorText(error).what} />}
          <div className={styles.actions}>
            <Button
              variant="primary"
              size="sm"
              busy={submission.isBusy}
              disabledReason={submission.disabledReason}
              onClick={() => void submission.submit()}
            >
              {submission.label}
            </Button>
            <Button size="sm" onClick={onClose}>
              Close
            </Button>
          </div>
        </div>
      </div>
    </Panel>
  );
}
