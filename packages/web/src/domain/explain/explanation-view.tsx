import type { Explanation } from '@dstack/contract/wire';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { RelativeTime } from '../../ui/time/time.tsx';
import { money } from '../format/quantities.ts';
import { explanationTitle, groupedCandidates } from './explanation-text.ts';
import styles from './explanation-view.module.css';

/** The server's answer to "why": summary, queue, what was considered, what would help. */
export function ExplanationView({ explanation }: { readonly explanation: Explanation }) {
  const { summary, since, until, attempt, position, ahead, fixes } = explanation;
  const candidates = groupedCandidates(explanation.considered);
  return (
    <Panel title={explanationTitle(explanation.state)}>
      <div className={styles.view} data-state={explanation.state}>
        <p className={styles.summary}>{summary}</p>
        <ul className={styles.facts}>
          {since === null ? null : (
            <li>
              since <RelativeTime at={since} />
            </li>
          )}
          {attempt === null ? null : <li>attempt {attempt}</li>}
          {until === null ? null : (
            <li>
              next change <RelativeTime at={until} />
            </li>
          )}
          {position === null ? null : <li>place {position} in the queue</li>}
        </ul>
        {ahead.length === 0 ? null : (
          <p className={styles.ahead}>
            Before it:{' '}
            {ahead
              .map(({ run, keeps }) => (keeps === null ? run : `${run} (keeps room in ${keeps})`))
              .join(', ')}
          </p>
        )}
        {fixes.length === 0 ? null : (
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
            <ul className={styles.candidates}>
              {candidates.map(({ fleet, verdict, text, rows }) => (
                <li key={fleet}>
                  <div className={styles.fleet}>
                    <strong>
                      <bdi>{fleet}</bdi>
                    </strong>
                    <span className={styles.verdict} data-verdict={verdict}>
                      {VERDICTS[verdict]}
                    </span>
                    <span>{text}</span>
                  </div>
                  <ul className={styles.rows}>
                    {rows.map((row) => (
                      <li
                        key={`${row.kind}-${row.instance}-${row.backend}-${row.rule}-${row.text}`}
                      >
                        {row.instance ?? row.backend ?? ''} {row.text}
                        {row.price === null ? '' : ` (${row.offer} ${money(row.price)}/h)`}
                      </li>
                    ))}
                  </ul>
                </li>
              ))}
            </ul>
          </details>
        )}
      </div>
    </Panel>
  );
}

const VERDICTS = { never: 'cannot take it', full: 'full', free: 'free' } as const;
