import type { Run } from '@dstack/contract/wire';
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { runKeys } from '../../data/runs/run-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { ConfirmDialog } from '../../ui/dialog/confirm-dialog.tsx';
import { toast } from '../../ui/toast/toaster.tsx';

interface DeleteRunDialogProps {
  readonly run: Run;
  readonly open: boolean;
  readonly onClose: () => void;
}

export function DeleteRunDialog({ run, open, onClose }: DeleteRunDialogProps) {
  const client = useClient();
  const cache = useQueryClient();
  const navigate = useNavigate();
  const name = run.run_spec.run_name ?? '';
  const confirm = async () => {
    await client.project(run.project_name).runs.delete([name]);
    await navigate({ to: '/runs' });
    await cache.invalidateQueries({ queryKey: runKeys.all });
    toast.done(`Run ${name} was deleted`);
  };
  return (
    <ConfirmDialog
      open={open}
      onClose={onClose}
      title={`Delete ${name}?`}
      action="Delete"
      onConfirm={confirm}
    >
      <p>The run and its logs can no longer be opened. Its events stay.</p>
    </ConfirmDialog>
  );
}
