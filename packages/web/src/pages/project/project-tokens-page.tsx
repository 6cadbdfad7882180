import type { ServiceToken, ServiceTokenScope } from '@dstack/contract/wire';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Bot, Plus } from 'lucide-react';
import { useMemo, useState } from 'react';
import { projectKeys, projectPart } from '../../data/projects/project-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { adminsOnly } from '../../domain/projects/project-rights.ts';
import { Button } from '../../ui/button/button.tsx';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { ConfirmDialog } from '../../ui/dialog/confirm-dialog.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { TextField } from '../../ui/field/field.tsx';
import { FormDialog } from '../../ui/form/form-dialog.tsx';
import { RevealedSecret } from '../../ui/form/revealed-secret.tsx';
import { SelectField } from '../../ui/form/select-field.tsx';
import { useSubmit } from '../../ui/form/use-submit.ts';
import { PartPanel, rowActions } from '../../ui/panel/part-panel.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { RelativeTime } from '../../ui/time/time.tsx';
import { toast } from '../../ui/toast/toaster.tsx';
import { useProject, useProjectRights } from './project-context.tsx';

/** Tokens of programs, each for this project only. */
export function ProjectTokensPage() {
  const { project_name: name } = useProject();
  const refusal = adminsOnly(useProjectRights());
  const client = useClient();
  const cache = useQueryClient();
  const query = useQuery({
    ...projectPart(name, 'tokens', () => client.project(name).serviceTokens.list()),
    enabled: refusal === null,
  });
  const [creating, setCreating] = useState(false);
  const [removing, setRemoving] = useState<string | null>(null);
  const [created, setCreated] = useState<string | null>(null);
  const columns = useMemo(() => columnsFor((token) => setRemoving(token.name)), []);
  const revoke = async () => {
    if (removing === null) return;
    await client.project(name).serviceTokens.delete([removing]);
    await cache.invalidateQueries({ queryKey: projectKeys.all });
    toast.done(`Token ${removing} was revoked`);
  };
  return (
    <>
      <PartPanel
        title="Service tokens"
        query={query}
        refusal={refusal}
        rows={query.data}
        columns={columns}
        rowId={({ id }) => id}
        rowName={(token) => token.name}
        actions={
          <Button
            size="sm"
            icon={<Plus size={13} />}
            disabledReason={refusal}
            onClick={() => setCreating(true)}
          >
            Create
          </Button>
        }
        empty={
          <EmptyState icon={Bot} title="No service tokens yet">
            <p>
              Programs, such as CI jobs, use a token of their own with as few rights as they need:
            </p>
            <CommandBlock text="dstack token create ci --scope user" />
          </EmptyState>
        }
      />
      {creating ? (
        <CreateTokenDialog
          project={name}
          onClose={() => setCreating(false)}
          onCreated={setCreated}
        />
      ) : null}
      <RevealedSecret
        secret={created}
        title="The new service token"
        onClose={() => setCreated(null)}
      />
      <ConfirmDialog
        open={removing !== null}
        onClose={() => setRemoving(null)}
        title={`Revoke token ${removing}?`}
        action="Revoke"
        onConfirm={revoke}
      >
        <p>Programs that use it are refused at once, and their open streams end.</p>
      </ConfirmDialog>
    </>
  );
}

function columnsFor(onRevoke: (token: ServiceToken) => void): readonly TableColumn<ServiceToken>[] {
  return [
    {
      id: 'name',
      header: 'Token',
      width: 170,
      grow: true,
      card: 'title',
      cell: (token) => <bdi>{token.name}</bdi>,
    },
    { id: 'scope', header: 'Scope', width: 90, card: 'detail', cell: ({ scope }) => scope },
    {
      id: 'by',
      header: 'Created by',
      width: 120,
      card: 'detail',
      cell: ({ created_by }) => <bdi>{created_by}</bdi>,
    },
    {
      id: 'used',
      header: 'Last used',
      width: 110,
      cell: ({ last_used_at }) =>
        last_used_at === null ? 'never' : <RelativeTime at={last_used_at} />,
    },
    {
      id: 'expires',
      header: 'Expires',
      width: 110,
      cell: ({ expires_at }) => (expires_at === null ? 'never' : <RelativeTime at={expires_at} />),
    },
    rowActions([{ label: 'Revoke', run: onRevoke }], ({ name }) => name),
  ];
}

const SCOPES = [
  { value: 'read', label: 'Read', hint: 'Sees everything, changes nothing' },
  { value: 'user', label: 'User', hint: 'Submits and stops runs' },
  { value: 'manager', label: 'Manager', hint: 'Also manages members and secrets' },
  { value: 'admin', label: 'Admin', hint: 'Everything in this project' },
] as const;

const DAY = 86_400;
const LIFETIMES = [
  { value: `${7 * DAY}`, label: '7 days' },
  { value: `${30 * DAY}`, label: '30 days' },
  { value: `${90 * DAY}`, label: '90 days' },
  { value: `${365 * DAY}`, label: 'A year' },
  { value: '', label: 'Until it is revoked' },
];

function CreateTokenDialog(props: {
  readonly project: string;
  readonly onClose: () => void;
  readonly onCreated: (token: string) => void;
}) {
  const { project, onClose, onCreated } = props;
  const client = useClient();
  const cache = useQueryClient();
  const submission = useSubmit();
  const [name, setName] = useState('');
  const [scope, setScope] = useState<ServiceTokenScope>('user');
  const [lifetime, setLifetime] = useState(`${90 * DAY}`);
  const create = async () => {
    const done = await submission.submit(async () => {
      const { token } = await client.project(project).serviceTokens.create({
        name: name.trim(),
        scope,
        expires_in: lifetime === '' ? null : Number(lifetime),
      });
      await cache.invalidateQueries({ queryKey: projectKeys.all });
      onCreated(token);
    });
    if (done) onClose();
  };
  return (
    <FormDialog
      open
      onClose={onClose}
      title="Create a service token"
      action="Create"
      submission={submission}
      onSubmit={() => void create()}
    >
      <TextField
        label="Name"
        value={name}
        onChange={setName}
        error={submission.errorOf('name')}
        input={{ placeholder: 'ci' }}
      />
      <SelectField label="Scope" value={scope} options={SCOPES} onChange={setScope} />
      <SelectField label="Valid for" value={lifetime} options={LIFETIMES} onChange={setLifetime} />
    </FormDialog>
  );
}
