import { CircleX } from 'lucide-react';
import type { SourceProblem } from '../../domain/launch/configuration-source.ts';
import styles from './launch.module.css';

/** The problems of the text, also for readers who do not see the marks in it. */
export function ProblemList({ problems }: { readonly problems: readonly SourceProblem[] }) {
  return (
    <div role="status" className={styles.problems} data-empty={problems.length === 0 || undefined}>
      {problems.map(({ line, message }) => (
        <p key={`${line} ${message}`} className={styles.problem}>
          <CircleX size={14} aria-hidden="true" />
          <span>
            <span className={styles.line}>Line {line}</span> {message}
          </span>
        </p>
      ))}
    </div>
  );
}
