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
                {rowText(row)}
              </li>
            ))}
          </ul>
        </li>
      ))}
    </ul>
  );
}

/** `lab-0 is busy`, `aws: 3 offers available from $0.34 an hour (t3.small in us-east-1, $0.34/h)` */
function rowText({
  instance,
  backend,
  region,
  text,
  offer,
  price,
}: FleetCandidate['rows'][number]) {
  const place = backendText(backend, region);
  const subject = instance ?? (place ? `${place}:` : '');
  return `${subject} ${text}${price === null ? '' : ` (${offer}, ${hourlyText(price)})`}`;
}

const VERDICTS: Readonly<Record<ExplainVerdict, string>> = {
  never: 'cannot take it',
  full: 'full',
  free: 'free',
};
