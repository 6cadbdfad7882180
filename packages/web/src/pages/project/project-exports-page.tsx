import type { Export, Import } from '@dstack/contract/wire';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Plus, Share2 } from 'lucide-react';
import { useMemo, useState } from 'react';
import { projectKeys, projectPart } from '../../data/projects/project-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { adminsOnly } from '../../domain/projects/project-rights.ts';
import { Button } from '../../ui/button/button.tsx';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { ConfirmDialog } from '../../ui/dialog/confirm-dialog.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { Stack } from '../../ui/panel/columns.tsx';
import { PartPanel, rowActions } from '../../ui/panel/part-panel.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { toast } from '../../ui/toast/toaster.tsx';
import { ExportDialog } from './export-dialog.tsx';
import { useProject, useProjectRights } from './project-context.tsx';

/** Fleets and gateways that the project shares with others, and those that it uses from them. */
export function ProjectExportsPage() {
  return (
    <Stack>
      <ExportsPanel />
      <ImportsPanel />
    </Stack>
  );
}

const namesOf = (shared: Pick<Export, 'exported_fleets' | 'exported_gateways'>): string =>
  [...shared.exported_fleets, ...shared.exported_gateways].map(({ name }) => name).join(', ') ||
  'nothing';

function ExportsPanel() {
  const { project_name: name } = useProject();
  const refusal = adminsOnly(useProjectRights());
  const client = useClient();
  const cache = useQueryClient();
  const query = useQuery(projectPart(name, 'exports', () => client.project(name).exports.list()));
  /** Null: no dialog; 'new': create one. */
  const [editing, setEditing] = useState<Export | 'new' | null>(null);
  const [removing, setRemoving] = useState<string | null>(null);
  const canEdit = refusal === null;
  const columns = useMemo(
    (): readonly TableColumn<Export>[] => [
      {
        id: 'name',
        header: 'Export',
        width: 150,
        grow: true,
        card: 'title',
        cell: (one) => <bdi>{one.name}</bdi>,
      },
      { id: 'shared', header: 'Shares', width: 220, card: 'detail', cell: namesOf },
      {
        id: 'importers',
        header: 'With',
        width: 200,
        card: 'detail',
        cell: ({ is_global, imports }) =>
          is_global
            ? 'all projects'
            : imports.map(({ project_name }) => project_name).join(', ') || 'no project yet',
      },
      ...(canEdit
        ? [
            rowActions(
              [
                { label: 'Edit', run: setEditing },
                { label: 'Delete', run: (one: Export) => setRemoving(one.name) },
              ],
              (one: Export) => one.name,
            ),
          ]
        : []),
    ],
    [canEdit],
  );
  const remove = async () => {
    if (removing === null) return;
    await client.project(name).exports.delete(removing);
    await cache.invalidateQueries({ queryKey: projectKeys.all });
    toast.done(`Export ${removing} was deleted`);
  };
  return (
    <>
      <PartPanel
        title="Exports"
        query={query}
        refusal={null}
        rows={query.data?.exports}
        columns={columns}
        rowId={({ id }) => id}
        rowName={(one) => one.name}
        actions={
          <Button
            size="sm"
            icon={<Plus size={13} />}
            disabledReason={refusal}
            onClick={() => setEditing('new')}
          >
            Create
          </Button>
        }
        empty={
          <EmptyState icon={Share2} title="Nothing is shared with other projects">
            <p>An export lets runs of other projects use fleets and gateways of this one:</p>
            <CommandBlock text="dstack export create pool --fleet default --importer team" />
          </EmptyState>
        }
      />
      {editing === null ? null : (
        <ExportDialog
          project={name}
          existing={editing === 'new' ? null : editing}
          onClose={() => setEditing(null)}
        />
      )}
      <ConfirmDialog
        open={removing !== null}
        onClose={() => setRemoving(null)}
        title={`Delete export ${removing}?`}
        action="Delete"
        onConfirm={remove}
      >
        <p>Other projects can no longer place runs there. Those that run go on.</p>
      </ConfirmDialog>
    </>
  );
}

function ImportsPanel() {
  const { project_name: name } = useProject();
  const refusal = adminsOnly(useProjectRights());
  const client = useClient();
  const cache = useQueryClient();
  const query = useQuery(projectPart(name, 'imports', () => client.project(name).imports.list()));
  const [removing, setRemoving] = useState<Import | null>(null);
  const canEdit = refusal === null;
  const columns = useMemo(
    (): readonly TableColumn<Import>[] => [
      {
        id: 'name',
        header: 'Import',
        width: 150,
        grow: true,
        card: 'title',
        cell: (one) => <bdi>{`${one.export.project_name}/${one.export.name}`}</bdi>,
      },
      {
        id: 'shared',
        header: 'Gives',
        width: 260,
        card: 'detail',
        cell: (one) => namesOf(one.export),
      },
      ...(canEdit
        ? [rowActions([{ label: 'Remove', run: setRemoving }], (one: Import) => one.export.name)]
        : []),
    ],
    [canEdit],
  );
  const remove = async () => {
    if (removing === null) return;
    const { project_name, name: exportName } = removing.export;
    await client.project(name).imports.delete(project_name, exportName);
    await cache.invalidateQueries({ queryKey: projectKeys.all });
    toast.done(`Import ${exportName} was removed`);
  };
  return (
    <>
      <PartPanel
        title="Imports"
        query={query}
        refusal={null}
        rows={query.data?.imports}
        columns={columns}
        rowId={({ id }) => id}
        rowName={(one) => one.export.name}
        empty={
          <EmptyState icon={Share2} title="No other project shares anything with this one">
            <p>An admin of the other project creates an export that names this project.</p>
          </EmptyState>
        }
      />
      <ConfirmDialog
        open={removing !== null}
        onClose={() => setRemoving(null)}
        title={`Remove import ${removing?.export.name}?`}
        action="Remove"
        onConfirm={remove}
      >
        <p>Runs of this project are no longer placed there. Those that run go on.</p>
      </ConfirmDialog>
    </>
  );
}
