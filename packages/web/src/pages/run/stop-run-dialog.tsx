import type { Run } from '@dstack/contract/wire';
import { useState } from 'react';
import { useStopWithUndo } from '../../domain/runs/delayed-stops-context.tsx';
import { useStopRuns } from '../../domain/runs/use-stop-runs.ts';
import { ConfirmDialog } from '../../ui/dialog/confirm-dialog.tsx';
import { useAnnounce } from '../../ui/feedback/announcer.tsx';

interface StopRunDialogProps {
  readonly run: Run;
  /** Null: the dialog is closed. */
  readonly action: 'stop' | 'abort' | null;
  readonly onClose: () => void;
}

export function StopRunDialog({ run, action, onClose }: StopRunDialogProps) {
  const stopRuns = useStopRuns();
  const stopWithUndo = useStopWithUndo();
  const announce = useAnnounce();
  const [shown, setShown] = useState<'stop' | 'abort'>('stop');
  // Keeps its text while the dialog fades out.
  if (action !== null && action !== shown) setShown(action);
  const name = run.run_spec.run_name ?? '';
  const confirm = async () => {
    const chosen = [{ id: run.id, project: run.project_name, name }];
    if (shown === 'stop') {
      stopWithUndo(chosen);
      return;
    }
    await stopRuns(chosen, true);
    announce(`Abort of ${name} requested`);
  };
  return (
    <ConfirmDialog
      open={action !== null}
      onClose={onClose}
      title={`${shown === 'stop' ? 'Stop' : 'Abort'} ${name}?`}
      action={shown === 'stop' ? 'Stop' : 'Abort'}
      onConfirm={confirm}
    >
      <p>
        {shown === 'stop'
          ? 'Its processes are asked to end, and get the time that the configuration allows. Logs and events stay.'
          : 'Its processes are killed at once. What they have not saved is lost. Logs and events stay.'}
      </p>
    </ConfirmDialog>
  );
}
