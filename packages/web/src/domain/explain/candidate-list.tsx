import type { ExplainVerdict } from '@dstack/contract/wire';
import { money } from '../format/quantities.ts';
import type { FleetCandidate } from './explanation-text.ts';
import styles from './explanation-view.module.css';

interface CandidateListProps {
  readonly candidates: readonly FleetCandidate[];
  /** Replaces the words for a verdict. */
  readonly verdictText?: (candidate: FleetCandidate) => string;
}

/** Fleets, each with its verdict on the run and what lies behind it. */
export function CandidateList({ candidates, verdictText }: CandidateListProps) {
  return (
    <ul className={styles.candidates}>
      {candidates.map((candidate) => {
        const { fleet, verdict, text, rows } = candidate;
        return (
          <li key={fleet}>
            <div className={styles.fleet}>
              <strong>
                <bdi>{fleet}</bdi>
              </strong>
              <span className={styles.verdict} data-verdict={verdict}>
                {verdictText?.(candidate) ?? VERDICTS[verdict]}
              </span>
              <span>{text}</span>
            </div>
            <ul className={styles.rows}>
              {rows.map((row) => (
                <li key={`${row.kind}-${row.instance}-${row.backend}-${row.rule}-${row.text}`}>
                  {row.instance ?? row.backend ?? ''} {row.text}
                  {row.price === null ? '' : ` (${row.offer} ${money(row.price)}/h)`}
                </li>
              ))}
            </ul>
          </li>
        );
      })}
    </ul>
  );
}

const VERDICTS: Readonly<Record<ExplainVerdict, string>> = {
  never: 'cannot take it',
  full: 'full',
  free: 'free',
};
