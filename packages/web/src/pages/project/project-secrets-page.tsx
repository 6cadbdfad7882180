import type { Secret } from '@dstack/contract/wire';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { KeyRound, Plus } from 'lucide-react';
import { useMemo, useState } from 'react';
import { projectKeys, projectPart } from '../../data/projects/project-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { managersOnly } from '../../domain/projects/project-rights.ts';
import { Button } from '../../ui/button/button.tsx';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { ConfirmDialog } from '../../ui/dialog/confirm-dialog.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { CodeArea, Field, TextField } from '../../ui/field/field.tsx';
import { FormDialog } from '../../ui/form/form-dialog.tsx';
import { useSubmit } from '../../ui/form/use-submit.ts';
import { PartPanel, type RowAction, rowActions } from '../../ui/panel/part-panel.tsx';
import { toast } from '../../ui/toast/toaster.tsx';
import { useProject, useProjectRights } from './project-context.tsx';

/** Values that runs name and that are not shown here again. */
export function ProjectSecretsPage() {
  const { project_name: name } = useProject();
  const refusal = managersOnly(useProjectRights());
  const client = useClient();
  const cache = useQueryClient();
  const query = useQuery({
    ...projectPart(name, 'secrets', () => client.project(name).secrets.list()),
    enabled: refusal === null,
  });
  /** The name of the secret; '': a new one. */
  const [editing, setEditing] = useState<string | null>(null);
  const [removing, setRemoving] = useState<string | null>(null);
  const columns = useMemo(() => {
    const actions: readonly RowAction<Secret>[] = [
      { label: 'Replace', run: (secret) => setEditing(secret.name) },
      { label: 'Delete', run: (secret) => setRemoving(secret.name) },
    ];
    return [
      {
        id: 'name',
        header: 'Secret',
        width: 220,
        grow: true,
        card: 'title' as const,
        cell: (secret: Secret) => <code>{secret.name}</code>,
      },
      { id: 'value', header: 'Value', width: 120, cell: () => '••••••••' },
      rowActions(actions, (secret: Secret) => secret.name),
    ];
  }, []);
  const remove = async () => {
    if (removing === null) return;
    await client.project(name).secrets.delete([removing]);
    await cache.invalidateQueries({ queryKey: projectKeys.all });
    toast.done(`Secret ${removing} was deleted`);
  };
  return (
    <>
      <PartPanel
        title="Secrets"
        query={query}
        refusal={refusal}
        rows={query.data}
        columns={columns}
        rowId={({ id }) => id}
        rowName={(secret) => secret.name}
        actions={
          <Button
            size="sm"
            icon={<Plus size={13} />}
            disabledReason={refusal}
            onClick={() => setEditing('')}
          >
            Add
          </Button>
        }
        empty={
          <EmptyState icon={KeyRound} title="No secrets yet">
            <p>Runs name a secret where they need its value, which is masked in their output:</p>
            <CommandBlock
              label="Copy the configuration"
              text={`env:\n  - HF_TOKEN=\${{ secrets.HF_TOKEN }}`}
            />
            <CommandBlock text="dstack secret set HF_TOKEN" />
          </EmptyState>
        }
      />
      {editing === null ? null : (
        <SecretDialog project={name} existing={editing} onClose={() => setEditing(null)} />
      )}
      <ConfirmDialog
        open={removing !== null}
        onClose={() => setRemoving(null)}
        title={`Delete secret ${removing}?`}
        action="Delete"
        onConfirm={remove}
      >
        <p>Runs that name it can no longer start. Those that run keep the value.</p>
      </ConfirmDialog>
    </>
  );
}

function SecretDialog(props: {
  readonly project: string;
  readonly existing: string;
  readonly onClose: () => void;
}) {
  const { project, existing, onClose } = props;
  const client = useClient();
  const cache = useQueryClient();
  const submission = useSubmit();
  const [name, setName] = useState(existing);
  const [value, setValue] = useState('');
  const save = async () => {
    const done = await submission.submit(async () => {
      const stored = await client.project(project).secrets.set(name.trim(), value);
      await cache.invalidateQueries({ queryKey: projectKeys.all });
      toast.done(`Secret ${name.trim()} was saved`, stored.notes?.join(' '));
    });
    if (done) onClose();
  };
  return (
    <FormDialog
      open
      onClose={onClose}
      title={existing === '' ? 'Add a secret' : `Replace the value of ${existing}`}
      action="Save"
      submission={submission}
      onSubmit={() => void save()}
    >
      {existing === '' ? (
        <TextField
          label="Name"
          value={name}
          onChange={setName}
          error={submission.errorOf('name')}
          input={{ placeholder: 'HF_TOKEN' }}
        />
      ) : null}
      <Field label="Value" error={submission.errorOf('value')}>
        {(control) => (
          <CodeArea
            {...control}
            rows={3}
            autoComplete="off"
            value={value}
            onChange={(event) => setValue(event.target.value)}
          />
        )}
      </Field>
    </FormDialog>
  );
}
