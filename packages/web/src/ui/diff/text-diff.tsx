import { diffLines } from 'diff';
import { ScrollRegion } from '../panel/scroll-region.tsx';
import styles from './text-diff.module.css';

export interface TextDiffProps {
  readonly label: string;
  readonly before: string;
  readonly after: string;
}

/** Unchanged lines that are shown around changes. */
const AROUND = 2;

/** Two texts line by line: what is removed, what is added. */
export function TextDiff({ label, before, after }: TextDiffProps) {
  const lines = changedLines(before, after);
  return (
    <ScrollRegion label={label} className={styles.diff}>
      {lines.map((line, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines have no identity of their own
        <div key={index} className={styles.line} data-kind={line.kind}>
          <span className={styles.sign}>{SIGNS[line.kind]}</span>
          <span>{line.text}</span>
        </div>
      ))}
      {lines.length === 0 ? <p className={styles.same}>Nothing differs.</p> : null}
    </ScrollRegion>
  );
}

interface DiffLine {
  readonly kind: 'same' | 'added' | 'removed' | 'gap';
  readonly text: string;
}

const SIGNS = { same: ' ', added: '+', removed: '-', gap: ' ' } as const;

export function changedLines(before: string, after: string): readonly DiffLine[] {
  const all = diffLines(before, after).flatMap(({ value, added, removed }) =>
    value
      .replace(/\n$/, '')
      .split('\n')
      .map((text): DiffLine => ({ kind: added ? 'added' : removed ? 'removed' : 'same', text })),
  );
  const isNear = all.map((_, index) =>
    all.slice(Math.max(0, index - AROUND), index + AROUND + 1).some(({ kind }) => kind !== 'same'),
  );
  return all.flatMap((line, index): DiffLine[] => {
    if (isNear[index]) return [line];
    // One mark for all lines that are left out between two changes.
    return index > 0 && isNear[index - 1] && isNear.slice(index).includes(true)
      ? [{ kind: 'gap', text: '…' }]
      : [];
  });
}
