import { isInstanceBusy } from '@dstack/contract/status';
import type { Instance } from '@dstack/contract/wire';
import { useClient } from '../../data/session/session-context.tsx';
import { ConfirmDialog } from '../../ui/dialog/confirm-dialog.tsx';
import { toast } from '../../ui/toast/toaster.tsx';
import { plural } from '../format/quantities.ts';
import { NameList } from '../links/name-link.tsx';

interface DeleteInstancesDialogProps {
  readonly instances: readonly Instance[];
  readonly open: boolean;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

/** Terminates instances; those that run jobs are named as such. */
export function DeleteInstancesDialog(props: DeleteInstancesDialogProps) {
  const { instances, open, onClose, onDone } = props;
  const client = useClient();
  const busy = instances.filter(({ status }) => isInstanceBusy(status)).length;
  const confirm = async () => {
    const fleets = Map.groupBy(instances, (one) => `${one.project_name}/${one.fleet_name}`);
    for (const [, ofFleet] of fleets) {
      const [first] = ofFleet;
      if (first?.fleet_name == null) continue;
      await client.project(first.project_name).fleets.deleteInstances(
        first.fleet_name,
        ofFleet.map(({ instance_num }) => instance_num),
      );
    }
    toast.done(`${plural(instances.length, 'instance')} will be deleted`);
    onDone();
  };
  return (
    <ConfirmDialog
      open={open}
      onClose={onClose}
      title={`Delete ${plural(instances.length, 'instance')}?`}
      action="Delete"
      onConfirm={confirm}
    >
      <p>
        Cloud instances are terminated, and SSH hosts leave their fleet. What jobs have not saved
        outside of them is lost.
      </p>
      {busy === 0 ? null : (
        <p>
          {plural(busy, 'instance')} {busy === 1 ? 'is' : 'are'} in use: the jobs there end.
        </p>
      )}
      <NameList names={instances.map(({ name, project_name }) => `${project_name}/${name}`)} />
    </ConfirmDialog>
  );
}
