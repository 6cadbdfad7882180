import type { Run } from '@dstack/contract/wire';
import { runKeys } from '../../data/runs/run-queries.ts';
import { type DeletionKind, removeByProject } from '../deletion/delete-dialog.tsx';

export const RUN_DELETION: DeletionKind<Run> = {
  noun: 'run',
  nameOf: ({ run_spec }) => run_spec.run_name ?? '',
  projectOf: ({ project_name }) => project_name,
  changes: runKeys.all,
  remove: (client, runs) =>
    removeByProject(runs, RUN_DELETION, (project, names) =>
      client.project(project).runs.delete(names),
    ),
  loss: () => <p>The run and its logs can no longer be opened. Its events stay.</p>,
};
