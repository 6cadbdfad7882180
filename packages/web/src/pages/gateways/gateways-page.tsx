import type { Gateway } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { Globe, Plus } from 'lucide-react';
import { useMemo } from 'react';
import { ResourceList, useListAddress } from '../../app/lists/resource-list.tsx';
import { useCreating } from '../../app/lists/use-creating.ts';
import { gatewayList } from '../../data/gateways/gateway-queries.ts';
import { projectList } from '../../data/projects/project-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { DeleteButton } from '../../domain/deletion/delete-dialog.tsx';
import { useRowActions } from '../../domain/deletion/use-row-actions.tsx';
import { GATEWAY_DELETION } from '../../domain/gateways/gateway-deletion.tsx';
import { gatewayLook } from '../../domain/gateways/gateway-look.ts';
import { Button } from '../../ui/button/button.tsx';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { CreateGatewayDialog } from './create-gateway-dialog.tsx';
import { GATEWAY_COLUMNS } from './gateway-columns.tsx';

const NONE: readonly string[] = [];

/** The gateways of all projects of the user. */
export function GatewaysPage() {
  const client = useClient();
  const [creating, setCreating] = useCreating();
  const address = useListAddress();
  const { project } = address;
  const projects = useQuery(projectList(client));
  const names = useMemo(
    () => (project === null ? projects.data?.map(({ project_name }) => project_name) : [project]),
    [project, projects.data],
  );
  const query = useQuery({ ...gatewayList(client, names ?? NONE), enabled: names !== undefined });
  const { rowActions, dialog } = useRowActions(GATEWAY_ROWS);
  const create = (
    <Button variant="primary" icon={<Plus size={15} />} onClick={() => setCreating(true)}>
      New gateway
    </Button>
  );
  return (
    <>
      <ResourceList
        title="Gateways"
        noun="gateway"
        address={address}
        query={names === undefined ? projects : query}
        rows={query.data}
        textsOf={textsOf}
        columns={GATEWAY_COLUMNS}
        rowId={({ id }) => id}
        rowName={({ name }) => name}
        actions={create}
        rowActions={rowActions}
        groups={GROUPS}
        selectionActions={(chosen, onDone) => (
          <DeleteButton kind={GATEWAY_DELETION} items={chosen} onDone={onDone} size="sm" />
        )}
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
      {dialog}
      <CreateGatewayDialog project={project} open={creating} onClose={() => setCreating(false)} />
    </>
  );
}

const GATEWAY_ROWS = { kind: GATEWAY_DELETION, itemOf: (gateway: Gateway) => gateway };

const GROUPS = {
  project: { label: 'Project', of: (gateway: Gateway) => gateway.project_name },
  status: { label: 'Status', of: (gateway: Gateway) => gatewayLook(gateway.status).text },
  backend: { label: 'Backend', of: ({ configuration }: Gateway) => configuration.backend },
};

const textsOf = (gateway: Gateway) => [
  gateway.name,
  gateway.project_name,
  gateway.wildcard_domain,
  gateway.hostname,
  gateway.configuration.backend,
  gateway.configuration.region,
];
