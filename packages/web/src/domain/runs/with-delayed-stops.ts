import type { RunRow } from '../../data/runs/run-row.ts';
import type { DelayedStop } from './delayed-stops.ts';
import { runActions } from './run-actions.ts';

/** Rows of runs that are about to be stopped show it before the server reports it. */
export function withDelayedStops(
  rows: readonly RunRow[],
  stops: readonly DelayedStop[],
): readonly RunRow[] {
  const ids = new Set(stops.flatMap(({ runs }) => runs.map(({ id }) => id)));
  if (ids.size === 0) return rows;
  return rows.map((row) =>
    ids.has(row.id) && runActions(row.status).stop === null
      ? { ...row, status: 'terminating' as const, statusMessage: 'stopping…' }
      : row,
  );
}
