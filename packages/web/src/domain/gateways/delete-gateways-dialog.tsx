import type { Gateway } from '@dstack/contract/wire';
import { useQueryClient } from '@tanstack/react-query';
import { gatewayKeys } from '../../data/gateways/gateway-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { ConfirmDialog } from '../../ui/dialog/confirm-dialog.tsx';
import { toast } from '../../ui/toast/toaster.tsx';
import { plural } from '../format/quantities.ts';
import { NameList } from '../links/name-link.tsx';

interface DeleteGatewaysDialogProps {
  readonly gateways: readonly Gateway[];
  readonly open: boolean;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

export function DeleteGatewaysDialog(props: DeleteGatewaysDialogProps) {
  const { gateways, open, onClose, onDone } = props;
  const client = useClient();
  const cache = useQueryClient();
  const title =
    gateways.length === 1 ? `gateway ${gateways[0]?.name}` : plural(gateways.length, 'gateway');
  const confirm = async () => {
    for (const [project, ofProject] of Map.groupBy(gateways, (one) => one.project_name)) {
      await client.project(project).gateways.delete(ofProject.map(({ name }) => name));
    }
    await cache.invalidateQueries({ queryKey: gatewayKeys.all });
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
        Services behind it can no longer be reached at its domain, and its address is given back.
      </p>
      <NameList names={gateways.map(({ name, project_name }) => `${project_name}/${name}`)} />
    </ConfirmDialog>
  );
}
