import styles from './sparkline.module.css';
import { sparklinePaths } from './sparkline-paths.ts';

export interface SparklineProps {
  /** The description of the line in words, as its accessible name and its tooltip. */
  readonly label: string;
  /** Rising; the line ends at `end`, `span` after its beginning. */
  readonly times: readonly number[];
  /** Shares of the height; null: unknown, which leaves a gap. */
  readonly values: readonly (number | null)[];
  readonly end: number;
  readonly span: number;
}

const WIDTH = 64;
const HEIGHT = 20;

/** A line as small as a word, for tables. */
export function Sparkline({ label, times, values, end, span }: SparklineProps) {
  const box = { width: WIDTH, height: HEIGHT, start: end - span, end };
  return (
    <svg
      role="img"
      aria-label={label}
      width={WIDTH}
      height={HEIGHT}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      className={styles.sparkline}
    >
      <title>{label}</title>
      <line x1={0} x2={WIDTH} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} className={styles.base} />
      {sparklinePaths(times, values, box).map((path) => (
        <polyline key={path} points={path} className={styles.line} />
      ))}
    </svg>
  );
}
