import type { RunRow } from '../../data/runs/run-row.ts';
import { runLook } from '../../domain/runs/run-look.ts';

/** The values by which the list of runs can be grouped. */
export const RUN_GROUPS = {
  project: { label: 'Project', of: ({ project }: RunRow) => project },
  user: { label: 'User', of: ({ user }: RunRow) => user },
  status: { label: 'Status', of: (row: RunRow) => runLook(row).text },
  fleet: { label: 'Fleet', of: ({ fleet }: RunRow) => fleet ?? 'No fleet' },
} as const;

export type RunGroup = keyof typeof RUN_GROUPS;
export const RUN_GROUP_NAMES = Object.keys(RUN_GROUPS) as RunGroup[];
