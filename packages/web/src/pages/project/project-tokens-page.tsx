import type { ServiceToken } from '@dstack/contract/wire';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Bot, Plus } from 'lucide-react';
import { useMemo, useState } from 'react';
import { projectKeys, projectPart } from '../../data/projects/project-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { adminsOnly } from '../../domain/projects/project-rights.ts';
import { limitTexts, reachText } from '../../domain/projects/token-limits.ts';
import { Button } from '../../ui/button/button.tsx';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { ConfirmDialog } from '../../ui/dialog/confirm-dialog.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { RevealedSecret } from '../../ui/form/revealed-secret.tsx';
import { PartPanel, rowActions } from '../../ui/panel/part-panel.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { RelativeTime } from '../../ui/time/time.tsx';
import { toast } from '../../ui/toast/toaster.tsx';
import { CreateTokenDialog } from './create-token-dialog.tsx';
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
      id: 'limits',
      header: 'Models and limits',
      width: 240,
      card: 'detail',
      cell: (token) => {
        const text = [reachText(token), ...limitTexts(token)].filter(Boolean).join(', ');
        return <span title={text}>{text}</span>;
      },
    },
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
