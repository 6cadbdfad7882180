import type { Run } from '@dstack/contract/wire';
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { runKeys } from '../../data/runs/run-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { runActions } from '../../domain/runs/run-actions.ts';
import { ConfirmDialog } from '../../ui/dialog/confirm-dialog.tsx';
import { TextField } from '../../ui/field/field.tsx';
import { toast } from '../../ui/toast/toaster.tsx';

interface RunAgainDialogProps {
  readonly run: Run;
  readonly open: boolean;
  readonly onClose: () => void;
}

/** Submits what is stored of the run once more, on behalf of the reader. */
export function RunAgainDialog({ run, open, onClose }: RunAgainDialogProps) {
  const client = useClient();
  const cache = useQueryClient();
  const navigate = useNavigate();
  const old = run.run_spec.run_name ?? '';
  const isOver = runActions(run.status).remove === null;
  const [name, setName] = useState(isOver ? old : `${old}-2`);
  const project = run.project_name;
  const confirm = async () => {
    const created = await client.project(project).runs.rerun({ id: run.id }, name);
    await cache.invalidateQueries({ queryKey: runKeys.all });
    const created_name = created.run_spec.run_name ?? name;
    await navigate({
      to: '/projects/$project/runs/$run',
      params: { project, run: created_name },
    });
    toast.done(`Run ${created_name} was submitted`);
  };
  return (
    <ConfirmDialog
      open={open}
      onClose={onClose}
      title={`Run ${old} again?`}
      action="Submit"
      danger={false}
      onConfirm={confirm}
    >
      <p>The same configuration, code and files are submitted as a new run.</p>
      <TextField
        label="Name"
        value={name}
        onChange={setName}
        hint={
          name === old && isOver
            ? 'The ended run of this name is replaced.'
            : 'Lower-case letters, digits and hyphens.'
        }
      />
    </ConfirmDialog>
  );
}
