import type { RunRow } from '../../data/runs/run-row.ts';
import { matchesStatus, type StatusFilter } from './run-actions.ts';

export interface RunRowFilter {
  readonly status: StatusFilter;
  readonly type: RunRow['type'] | null;
  /** Words that name, user, backend, region or status must contain. */
  readonly text: string;
}

/** The part of the filters that is applied to the rows in the browser. */
export function filterRuns(rows: readonly RunRow[], filter: RunRowFilter): readonly RunRow[] {
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0 && filter.status === 'any' && filter.type === null) return rows;
  return rows.filter(
    (row) =>
      matchesStatus(row.status, filter.status) &&
      (filter.type === null || row.type === filter.type) &&
      words.every((word) => searchable(row).includes(word)),
  );
}

function searchable(row: RunRow): string {
  return [row.name, row.user, row.project, row.backend, row.region, row.statusMessage, row.fleet]
    .join(' ')
    .toLowerCase();
}
