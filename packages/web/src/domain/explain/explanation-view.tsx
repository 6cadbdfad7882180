import type { Explanation } from '@dstack/contract/wire';
import type { ReactNode } from 'react';
import { visibleText } from '../../ui/code/visible-text.ts';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { useTicking } from '../../ui/time/clock.ts';
import { Elapsed, RelativeTime } from '../../ui/time/time.tsx';
import { CandidateList } from './candidate-list.tsx';
import { explanationTitle, groupedCandidates, isWell } from './explanation-text.ts';
import styles from './explanation-view.module.css';
import { withPresentTimes } from './present-times.ts';

/** The server's answer to "why": summary, queue, what was considered, what would help. */
export function ExplanationView(props: {
  readonly explanation: Explanation;
  readonly children?: ReactNode;
}) {
  const { explanation, children } = props;
  const { summary, since, until, attempt, position, ahead, fixes } = explanation;
  const { expected_start: start, is_about: isAbout } = explanation;
  const isOver = explanation.state === 'failed' || explanation.state === 'ended';
  const candidates = groupedCandidates(explanation.considered);
  return (
    <Panel title={explanationTitle(explanation.state)}>
      <div className={styles.view} data-state={explanation.state}>
        <Summary text={visibleText(summary)} />
        <ul className={styles.facts}>
          {since === null ? null : (
            <li>
              {isOver ? (
                <RelativeTime at={since} />
              ) : (
                <>
                  for <Elapsed from={since} to={null} />
                </>
              )}
            </li>
          )}
          {attempt === null ? null : <li>attempt {attempt}</li>}
          {until === null ? null : (
            <li>
              next change <RelativeTime at={until} />
            </li>
          )}
          {position === null ? null : <li>place {position} in the queue</li>}
          {start == null ? null : (
            <li>
              {isAbout ? 'expected to start about' : 'expected to start'}{' '}
              <RelativeTime at={start} />
            </li>
          )}
        </ul>
        {ahead.length === 0 ? null : (
          <p className={styles.ahead}>
            Before it:{' '}
            {ahead
              .map(({ run, keeps }) => (keeps === null ? run : `${run} (keeps room in ${keeps})`))
              .join(', ')}
          </p>
        )}
        {fixes.length === 0 || isWell(explanation.state) ? null : (
          <section className={styles.part}>
            <h3 className={styles.heading}>What would help</h3>
            <ul className={styles.fixes}>
              {fixes.map((fix) => (
                <li key={fix.text} className={styles.fix}>
                  <p>{fix.text}</p>
                  {fix.value === null ? null : (
                    <CommandBlock text={fix.value} label="Copy the configuration" />
                  )}
                  {fix.command === null ? null : <CommandBlock text={fix.command} />}
                </li>
              ))}
            </ul>
          </section>
        )}
        {candidates.length === 0 ? null : (
          <details className={styles.part}>
            <summary className={styles.heading}>What was considered</summary>
            <CandidateList candidates={candidates} />
          </details>
        )}
      </div>
      {children}
    </Panel>
  );
}

/** It stays on the page for longer than its "in 19 s" is true. */
function Summary({ text }: { readonly text: string }) {
  return <p className={styles.summary}>{useTicking((now) => withPresentTimes(text, now))}</p>;
}
