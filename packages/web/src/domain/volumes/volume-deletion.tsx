import type { Volume } from '@dstack/contract/wire';
import { volumeKeys } from '../../data/volumes/volume-queries.ts';
import { type DeletionKind, removeByProject } from '../deletion/delete-dialog.tsx';

/** Volumes are deleted with their data; registered volumes keep theirs. */
export const VOLUME_DELETION: DeletionKind<Volume> = {
  noun: 'volume',
  nameOf: ({ name }) => name,
  projectOf: ({ project_name }) => project_name,
  changes: volumeKeys.all,
  remove: (client, volumes) =>
    removeByProject(volumes, VOLUME_DELETION, (project, names) =>
      client.project(project).volumes.delete(names),
    ),
  loss: (volumes) => (
    <p>
      {volumes.some(({ external }) => !external)
        ? 'The data on it is deleted and cannot be restored.'
        : 'It was registered here: the volume itself and its data stay at the provider.'}
    </p>
  ),
};
