import { type MouseEvent, useMemo } from 'react';
import { hitRows, MAP_ROWS, nearestHit } from './hit-map.ts';
import type { LogLine } from './line-reader.ts';
import type { Hit } from './log-search.ts';
import styles from './log-view.module.css';

export interface HitMapProps {
  readonly hits: readonly Hit[];
  readonly lines: readonly LogLine[];
  readonly onHit: (index: number) => void;
}

/** Where in the log the hits are, beside the scrollbar. Keyboards use the keys of the search instead. */
export function HitMap({ hits, lines, onHit }: HitMapProps) {
  const path = useMemo(
    () =>
      hitRows(hits, lines)
        .map((row) => `M0 ${row}h8v2h-8z`)
        .join(''),
    [hits, lines],
  );
  const onClick = (event: MouseEvent<SVGSVGElement>) => {
    const { top, height } = event.currentTarget.getBoundingClientRect();
    const hit = nearestHit(hits, lines, (event.clientY - top) / height);
    if (hit >= 0) onHit(hit);
  };
  if (path === '') return null;
  return (
    <svg
      className={styles.map}
      viewBox={`0 0 8 ${MAP_ROWS + 1}`}
      preserveAspectRatio="none"
      aria-hidden="true"
      onClick={onClick}
    >
      <path d={path} />
    </svg>
  );
}
