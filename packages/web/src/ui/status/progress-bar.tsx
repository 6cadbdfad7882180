import styles from './progress-bar.module.css';
import type { Tone } from './tone.ts';

export interface ProgressBarProps {
  readonly label: string;
  /** 0..1; null: unknown. */
  readonly value: number | null;
  readonly tone?: Tone;
}

export function ProgressBar({ label, value, tone = 'starting' }: ProgressBarProps) {
  const part = value === null ? null : Math.min(1, Math.max(0, value));
  return (
    <div
      className={styles.bar}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={part === null ? undefined : Math.round(part * 100)}
    >
      <div
        className={styles.fill}
        data-unknown={part === null || undefined}
        style={{
          width: part === null ? '35%' : `${part * 100}%`,
          background: `var(--tone-${tone}-solid)`,
        }}
      />
    </div>
  );
}
