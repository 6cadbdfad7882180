import type { ExplainVerdict } from '@dstack/contract/wire';
import { hourlyText } from '../format/quantities.ts';
import { backendText } from '../format/resources.ts';
import type { FleetCandidate } from './explanation-text.ts';
import styles from './explanation-view.module.css';

/** Fleets, each with its verdict on the run and what lies behind it. */
export function CandidateList(props: { readonly candidates: readonly FleetCandidate[] }) {
  return (
    <ul className={styles.candidates}>
      {props.candidates.map(({ fleet, verdict, text, rows }) => (
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
              <li key={`${row.kind}-${row.instance}-${row.backend}-${row.rule}-${row.text}`}>
                {row.instance ?? backendText(row.backend, row.region) ?? ''} {row.text}
                {row.price === null ? '' : ` (${row.offer} ${hourlyText(row.price)})`}
              </li>
            ))}
          </ul>
        </li>
      ))}
    </ul>
  );
}

const VERDICTS: Readonly<Record<ExplainVerdict, string>> = {
  never: 'cannot take it',
  full: 'full',
  free: 'free',
};
