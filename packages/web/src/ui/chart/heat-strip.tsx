import styles from './heat-strip.module.css';

export interface HeatStripProps {
  readonly label: string;
  readonly rows: readonly {
    readonly label: string;
    /** Shares of the most; null: unknown, which leaves a gap. */
    readonly cells: readonly (number | null)[];
    readonly latest: string;
  }[];
}

const HEIGHT = 12;
/** So that an idle cell differs from an unknown one. */
const LEAST = 0.08;

/** Values as the strength of a colour, a row for each line. The table of the chart has them in words. */
export function HeatStrip({ label, rows }: HeatStripProps) {
  return (
    <ul className={styles.strip} aria-label={label}>
      {rows.map(({ label: name, cells, latest }) => (
        <li key={name} className={styles.row}>
          <span>{name}</span>
          <svg
            aria-hidden="true"
            viewBox={`0 0 ${cells.length} ${HEIGHT}`}
            preserveAspectRatio="none"
            shapeRendering="crispEdges"
            className={styles.bar}
          >
            {cells.map((value, index) =>
              value === null ? null : (
                <rect
                  // biome-ignore lint/suspicious/noArrayIndexKey: cells have no identity but their place
                  key={index}
                  x={index}
                  width={1}
                  height={HEIGHT}
                  opacity={Math.min(1, LEAST + value * (1 - LEAST))}
                />
              ),
            )}
          </svg>
          <span className={styles.latest}>{latest}</span>
        </li>
      ))}
    </ul>
  );
}
