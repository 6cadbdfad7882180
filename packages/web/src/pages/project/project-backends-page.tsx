import { backendLabel } from '@dstack/contract/backend-forms';
import { useQueryClient } from '@tanstack/react-query';
import { Plus } from 'lucide-react';
import { useMemo, useState } from 'react';
import { projectKeys } from '../../data/projects/project-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { adminsOnly } from '../../domain/projects/project-rights.ts';
import { Button } from '../../ui/button/button.tsx';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { ConfirmDialog } from '../../ui/dialog/confirm-dialog.tsx';
import { Stack } from '../../ui/panel/columns.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { DataTable } from '../../ui/table/data-table.tsx';
import { toast } from '../../ui/toast/toaster.tsx';
import { BackendDialog } from './backend-dialog.tsx';
import { useProject, useProjectRights } from './project-context.tsx';

interface BackendRow {
  readonly name: string;
}

/** The accounts and clusters that the project's fleets may use. */
export function ProjectBackendsPage() {
  const { project_name, backends } = useProject();
  const refusal = adminsOnly(useProjectRights());
  const client = useClient();
  const cache = useQueryClient();
  /** The name of the backend; '': a new one. */
  const [editing, setEditing] = useState<string | null>(null);
  const [removing, setRemoving] = useState<string | null>(null);
  const columns = useMemo(
    (): readonly TableColumn<BackendRow>[] => [
      {
        id: 'name',
        header: 'Backend',
        width: 200,
        grow: true,
        card: 'title',
        cell: ({ name }) => backendLabel(name),
      },
      {
        id: 'actions',
        header: 'Actions',
        width: 170,
        align: 'end',
        card: 'status',
        cell: ({ name }) =>
          refusal === null ? (
            <>
              <Button
                size="sm"
                variant="quiet"
                aria-label={`Edit ${name}`}
                onClick={() => setEditing(name)}
              >
                Edit
              </Button>
              <Button
                size="sm"
                variant="quiet"
                aria-label={`Delete ${name}`}
                onClick={() => setRemoving(name)}
              >
                Delete
              </Button>
            </>
          ) : null,
      },
    ],
    [refusal],
  );
  const remove = async () => {
    if (removing === null) return;
    await client.project(project_name).backends.delete([removing]);
    await cache.invalidateQueries({ queryKey: projectKeys.all });
    toast.done(`Backend ${removing} was deleted`);
  };
  return (
    <Stack narrow>
      <Panel
        title="Backends"
        count={backends.length}
        flush={backends.length > 0}
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
      >
        {backends.length === 0 ? (
          <>
            <p>
              No cloud or cluster is configured. SSH hosts need none: create a fleet of them. In the
              configuration of the server, a backend looks like this:
            </p>
            <CommandBlock
              label="Copy the configuration"
              text={
                '# ~/.dstack/server/config.yml\nprojects:\n  - name: main\n    backends:\n      - type: aws\n        creds:\n          type: default'
              }
            />
          </>
        ) : (
          <DataTable
            label="Backends"
            rows={backends}
            columns={columns}
            rowId={({ name }) => name}
            rowName={({ name }) => name}
            empty={null}
            inline
          />
        )}
      </Panel>
      {editing === null ? null : (
        <BackendDialog
          project={project_name}
          existing={editing === '' ? null : editing}
          onClose={() => setEditing(null)}
        />
      )}
      <ConfirmDialog
        open={removing !== null}
        onClose={() => setRemoving(null)}
        title={`Delete backend ${removing}?`}
        action="Delete"
        onConfirm={remove}
      >
        <p>Its credentials are deleted, and fleets get no new instances from it.</p>
      </ConfirmDialog>
    </Stack>
  );
}
