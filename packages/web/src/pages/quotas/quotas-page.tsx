import type { Quota } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { Gauge, Pencil, Plus, Trash2 } from 'lucide-react';
import { useCallback, useMemo, useState } from 'react';
import { ResourceList, useListAddress } from '../../app/lists/resource-list.tsx';
import { useCreating } from '../../app/lists/use-creating.ts';
import { projectList } from '../../data/projects/project-queries.ts';
import { useUsualProject } from '../../data/projects/usual-project.ts';
import { quotaList } from '../../data/quotas/quota-queries.ts';
import { useClient, useUser } from '../../data/session/session-context.tsx';
import { DeleteDialog } from '../../domain/deletion/delete-dialog.tsx';
import { QUOTA_DELETION } from '../../domain/quotas/quota-deletion.tsx';
import { maySetQuotas, quotaRight, rightReason } from '../../domain/quotas/quota-rights.ts';
import { type QuotaRow, quotaRows, resourceName } from '../../domain/quotas/quota-rows.ts';
import { Button } from '../../ui/button/button.tsx';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { Segments } from '../../ui/field/segments.tsx';
import { useNarrow } from '../../ui/table/use-narrow.ts';
import { QUOTA_COLUMNS } from './quota-columns.tsx';
import { QuotaDialog } from './quota-dialog.tsx';
import { Shares } from './shares-page-part.tsx';

const route = getRouteApi('/shell/quotas');

type Asked =
  | { readonly kind: 'edit'; readonly quota: Quota }
  | { readonly kind: 'delete'; readonly quota: Quota; readonly open: boolean };

/** The quotas of projects and their users on shared capacity, and the amounts that they use. */
export function QuotasPage() {
  const client = useClient();
  const user = useUser();
  const address = useListAddress();
  const { show } = route.useSearch();
  const usual = useUsualProject();
  const isNarrow = useNarrow();
  const query = useQuery(quotaList(client, address.project));
  const { data: projects = NONE } = useQuery(projectList(client));
  const [creating, setCreating] = useCreating();
  const [asked, setAsked] = useState<Asked | null>(null);
  const rows = useMemo(() => query.data && quotaRows(query.data), [query.data]);
  const rowActions = useCallback(
    ({ quota }: QuotaRow) => {
      const right = quotaRight(quota, projects, user);
      const isGranted = quota.guaranteed !== null || quota.weight !== null;
      const reason =
        right === 'none'
          ? rightReason(quota)
          : right === 'limit' && isGranted
            ? 'It has a guarantee or a weight, which global admins set'
            : null;
      return [
        {
          ...{ label: 'Edit', icon: Pencil, keys: 'e', quick: true, disabledReason: reason },
          run: () => setAsked({ kind: 'edit', quota }),
        },
        {
          ...{ label: 'Delete', icon: Trash2, danger: true, disabledReason: reason },
          run: () => setAsked({ kind: 'delete', quota, open: true }),
        },
      ];
    },
    [projects, user],
  );
  const refusal = maySetQuotas(projects, user)
    ? null
    : 'Quotas are set by global admins, and by managers of projects';
  const create = (
    <Button
      variant="primary"
      icon={<Plus size={15} />}
      disabledReason={refusal}
      onClick={() => setCreating(true)}
    >
      New quota
    </Button>
  );
  const parts = (
    <Segments
      label="What is shown"
      value={show ?? 'quotas'}
      options={[
        ['quotas', 'Quotas'],
        ['shares', 'Shares'],
      ]}
      onChange={(next) => address.set({ show: next === 'shares' ? next : undefined })}
    />
  );
  if (show === 'shares') {
    return <Shares address={address} project={address.project ?? usual} filters={parts} />;
  }
  return (
    <>
      <ResourceList
        title="Quotas"
        filters={parts}
        noun="quota"
        address={address}
        query={query}
        rows={rows}
        textsOf={textsOf}
        columns={QUOTA_COLUMNS[isNarrow ? 'cards' : 'table']}
        rowId={({ key }) => key}
        rowName={({ subject, resource }) => `${subject}: ${resourceName(resource)}`}
        rowActions={rowActions}
        groups={GROUPS}
        actions={create}
        empty={
          <EmptyState icon={Gauge} title="Nothing is limited" actions={create}>
            <p>
              A quota limits what the runs of a project, or of its users, use at one time, or
              guarantees it. Without one, all that is free is used.
            </p>
            <CommandBlock text="dstack quota set --limit gpu=16" />
          </EmptyState>
        }
      />
      {creating && refusal === null ? (
        <QuotaDialog
          existing={null}
          project={address.project ?? usual ?? ''}
          projects={projects}
          onClose={() => setCreating(false)}
        />
      ) : null}
      {asked?.kind === 'edit' ? (
        <QuotaDialog
          key={asked.quota.id}
          existing={asked.quota}
          project={asked.quota.project_name}
          projects={projects}
          onClose={() => setAsked(null)}
        />
      ) : null}
      {asked?.kind === 'delete' ? (
        <DeleteDialog
          kind={QUOTA_DELETION}
          items={[asked.quota]}
          open={asked.open}
          onClose={() => setAsked({ ...asked, open: false })}
          onDone={() => setAsked({ ...asked, open: false })}
        />
      ) : null}
    </>
  );
}

const NONE = [] as const;

const GROUPS = {
  quota: { label: 'Quota', of: ({ subject }: QuotaRow) => subject },
  project: { label: 'Project', of: ({ quota }: QuotaRow) => quota.project_name },
  resource: { label: 'Resource', of: ({ resource }: QuotaRow) => resourceName(resource) },
};

const textsOf = ({ subject, user, resource }: QuotaRow) => [subject, user, resourceName(resource)];
