import type { Fleet } from '@dstack/contract/wire';
import { useClient } from '../../data/session/session-context.tsx';
import { ConfirmDialog } from '../../ui/dialog/confirm-dialog.tsx';
import { toast } from '../../ui/toast/toaster.tsx';
import { plural } from '../format/quantities.ts';
import { NameList } from '../links/name-link.tsx';
import { fleetRow } from './fleet-row.ts';

interface DeleteFleetsDialogProps {
  readonly fleets: readonly Fleet[];
  readonly open: boolean;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

/** Deletes fleets with all of their instances. */
export function DeleteFleetsDialog({ fleets, open, onClose, onDone }: DeleteFleetsDialogProps) {
  const client = useClient();
  const rows = fleets.map(fleetRow);
  const instances = rows.reduce((sum, row) => sum + row.instances.length, 0);
  const busy = rows.reduce((sum, row) => sum + row.busy, 0);
  const title = rows.length === 1 ? `fleet ${rows[0]?.name}` : plural(rows.length, 'fleet');
  const confirm = async () => {
    for (const [project, ofProject] of Map.groupBy(rows, (row) => row.project)) {
      await client.project(project).fleets.delete(ofProject.map(({ name }) => name));
    }
    toast.done(`Deletion of ${title} was requested`);
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
        {instances === 0
          ? 'There are no instances in it. Runs are no longer placed there.'
          : `${plural(instances, 'instance')} will be terminated.`}
        {busy === 0 ? '' : ` ${plural(busy, 'instance')} in use: the jobs there end.`}
      </p>
      <NameList names={rows.map(({ project, name }) => `${project}/${name}`)} />
    </ConfirmDialog>
  );
}
