import type { Gateway } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { Globe, Plus } from 'lucide-react';
import { useMemo, useState } from 'react';
import { useFilterCommand } from '../../app/commands/use-filter-command.ts';
import { gatewayList } from '../../data/gateways/gateway-queries.ts';
import { projectList } from '../../data/projects/project-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { DeleteGatewaysDialog } from '../../domain/gateways/delete-gateways-dialog.tsx';
import { Button } from '../../ui/button/button.tsx';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { usePageTitle } from '../../ui/panel/page-title.ts';
import { ListPage } from '../../ui/table/list-page.tsx';
import { filterByText } from '../../ui/table/text-filter.ts';
import { CreateGatewayDialog } from './create-gateway-dialog.tsx';
import { GATEWAY_COLUMNS } from './gateway-columns.tsx';

const route = getRouteApi('/shell/gateways');
const NONE: readonly string[] = [];

/** The gateways of all projects of the user. */
export function GatewaysPage() {
  usePageTitle('Gateways');
  const client = useClient();
  const [creating, setCreating] = useState(false);
  const { project = null, q = '' } = route.useSearch();
  const navigate = useNavigate({ from: '/gateways' });
  const projects = useQuery(projectList(client));
  const names = useMemo(
    () => (project === null ? projects.data?.map(({ project_name }) => project_name) : [project]),
    [project, projects.data],
  );
  const query = useQuery({ ...gatewayList(client, names ?? NONE), enabled: names !== undefined });
  const { data } = query;
  const rows = useMemo(() => data && filterByText(data, q, wordsOf), [data, q]);
  const set = (text: string) =>
    navigate({ search: (before) => ({ ...before, q: text || undefined }), replace: true });
  const create = (
    <Button variant="primary" icon={<Plus size={15} />} onClick={() => setCreating(true)}>
      New gateway
    </Button>
  );
  return (
    <>
      <ListPage
        title="Gateways"
        noun="gateway"
        rows={rows}
        columns={GATEWAY_COLUMNS}
        rowId={({ id }) => id}
        rowName={({ name }) => name}
        error={data === undefined ? (query.error ?? projects.error) : null}
        onRetry={() => void (names === undefined ? projects.refetch() : query.refetch())}
        text={q}
        onText={set}
        searchInput={useFilterCommand('Gateways')}
        isFiltered={q !== ''}
        onClear={() => set('')}
        actions={create}
        selectionActions={(chosen, onDone) => <GatewaysSelection chosen={chosen} onDone={onDone} />}
        empty={
          <EmptyState icon={Globe} title="No gateways yet" actions={create}>
            <p>
              Services work without one, below the address of this server. A gateway gives them a
              domain with HTTPS:
            </p>
            <CommandBlock
              label="Copy the configuration"
              text={
                '# gateway.dstack.yml\ntype: gateway\nname: web\nbackend: aws\nregion: eu-west-1\ndomain: "*.example.com"'
              }
            />
            <CommandBlock text="dstack apply -f gateway.dstack.yml" />
          </EmptyState>
        }
      />
      <CreateGatewayDialog project={project} open={creating} onClose={() => setCreating(false)} />
    </>
  );
}

const wordsOf = (gateway: Gateway) => [
  gateway.name,
  gateway.project_name,
  gateway.wildcard_domain,
  gateway.hostname,
  gateway.configuration.backend,
  gateway.configuration.region,
];

function GatewaysSelection(props: {
  readonly chosen: readonly Gateway[];
  readonly onDone: () => void;
}) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button size="sm" onClick={() => setOpen(true)}>
        Delete
      </Button>
      <DeleteGatewaysDialog
        gateways={props.chosen}
        open={open}
        onClose={() => setOpen(false)}
        onDone={props.onDone}
      />
    </>
  );
}
