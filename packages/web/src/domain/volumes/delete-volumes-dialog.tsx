import type { Volume } from '@dstack/contract/wire';
import { useQueryClient } from '@tanstack/react-query';
import { useClient } from '../../data/session/session-context.tsx';
import { volumeKeys } from '../../data/volumes/volume-queries.ts';
import { ConfirmDialog } from '../../ui/dialog/confirm-dialog.tsx';
import { toast } from '../../ui/toast/toaster.tsx';
import { plural } from '../format/quantities.ts';
import { NameList } from '../links/name-link.tsx';

interface DeleteVolumesDialogProps {
  readonly volumes: readonly Volume[];
  readonly open: boolean;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

/** Deletes volumes and their data; registered volumes keep theirs. */
export function DeleteVolumesDialog(props: DeleteVolumesDialogProps) {
  const { volumes, open, onClose, onDone } = props;
  const client = useClient();
  const cache = useQueryClient();
  const title =
    volumes.length === 1 ? `volume ${volumes[0]?.name}` : plural(volumes.length, 'volume');
  const own = volumes.filter(({ external }) => !external).length;
  const confirm = async () => {
    for (const [project, ofProject] of Map.groupBy(volumes, (volume) => volume.project_name)) {
      await client.project(project).volumes.delete(ofProject.map(({ name }) => name));
    }
    await cache.invalidateQueries({ queryKey: volumeKeys.all });
    toast.done(`Deleted ${title}`);
    onDone();
  };
  return (
    <ConfirmDialog
      open={open}
      onClose={onClose}
      title={`Delete ${title}?`}
      action="Delete"
      onConfirm={confirm}
    >
      <p>
        {own > 0
          ? 'The data on it is deleted and cannot be restored.'
          : 'It was registered here: the volume itself and its data stay at the provider.'}
      </p>
      <NameList names={volumes.map(({ name, project_name }) => `${project_name}/${name}`)} />
    </ConfirmDialog>
  );
}
