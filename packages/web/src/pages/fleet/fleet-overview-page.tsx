import type { Fleet } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { fleetJobs } from '../../data/fleets/fleet-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { ExplainPanel } from '../../domain/explain/explain-panel.tsx';
import { fleetRow, nodesText } from '../../domain/fleets/fleet-row.ts';
import { hostTiles } from '../../domain/fleets/host-map.ts';
import { HostMapLegend, HostMapView } from '../../domain/fleets/host-map-view.tsx';
import { INSTANCE_COLUMNS } from '../../domain/fleets/instance-columns.tsx';
import { configurationText } from '../../domain/runs/configuration-text.ts';
import { CodeBlock } from '../../ui/code/code-block.tsx';
import { TwoColumns } from '../../ui/panel/columns.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { Properties } from '../../ui/panel/properties.tsx';
import { DataTable } from '../../ui/table/data-table.tsx';
import { Moment } from '../../ui/time/time.tsx';
import { useFleet } from './fleet-context.tsx';

/** The hosts, what runs on them, and why the fleet is as it is. */
export function FleetOverviewPage() {
  const fleet = useFleet();
  const client = useClient();
  const { data: jobs } = useQuery(fleetJobs(client, fleet.project_name, fleet.name));
  const tiles = useMemo(() => hostTiles(fleet.instances, jobs ?? []), [fleet, jobs]);
  const { project_name, name, status } = fleet;
  return (
    <TwoColumns
      main={
        <>
          <Panel title="Hosts" count={tiles.length} actions={<HostMapLegend />}>
            {tiles.length === 0 ? (
              <p>No instances now. The fleet gets them when runs need them.</p>
            ) : (
              <HostMapView tiles={tiles} />
            )}
          </Panel>
          {fleet.instances.length === 0 ? null : <InstancesPanel fleet={fleet} />}
          {status === 'terminated' ? null : (
            <ExplainPanel project={project_name} kind="fleets" name={name} />
          )}
        </>
      }
      side={
        <>
          <FleetDetails fleet={fleet} />
          <Panel title="Configuration">
            <CodeBlock
              label="The configuration of the fleet"
              text={configurationText(fleet.spec.configuration)}
              maxHeight="26rem"
            />
          </Panel>
        </>
      }
    />
  );
}

const COLUMNS = INSTANCE_COLUMNS.filter(({ id }) => !['project', 'fleet'].includes(id))
  .map((column) => ({ ...column, hidden: column.hidden || column.id === 'created' }))
  .filter(({ hidden }) => !hidden);

function InstancesPanel({ fleet }: { readonly fleet: Fleet }) {
  return (
    <Panel title="Instances" count={fleet.instances.length} flush>
      <DataTable
        label="Instances of the fleet"
        rows={fleet.instances}
        columns={COLUMNS}
        rowId={({ id }) => id}
        rowName={({ name }) => name}
        empty={null}
        inline
      />
    </Panel>
  );
}

function FleetDetails({ fleet }: { readonly fleet: Fleet }) {
  const { configuration } = fleet.spec;
  const { busy, troubled, instances, backends } = fleetRow(fleet);
  return (
    <Panel title="Details">
      <Properties
        items={[
          { label: 'Nodes', value: nodesText(fleet) },
          { label: 'Busy', value: `${busy} of ${instances.length}` },
          { label: 'Not healthy', value: troubled || null },
          { label: 'Backends', value: backends.join(', ') || 'any' },
          { label: 'Regions', value: configuration.regions?.join(', ') ?? null },
          { label: 'Placement', value: configuration.placement ?? null },
          { label: 'Blocks', value: configuration.blocks === 1 ? null : configuration.blocks },
          { label: 'Spot policy', value: configuration.spot_policy ?? null },
          { label: 'Login user', value: configuration.ssh_config?.user ?? null },
          {
            label: 'Maintenance',
            value:
              fleet.maintenance === undefined ? null : <MaintenanceTimes {...fleet.maintenance} />,
            wide: true,
          },
          { label: 'Message', value: fleet.status_message, wide: true },
          { label: 'Id', value: <code>{fleet.id}</code>, wide: true },
        ]}
      />
    </Panel>
  );
}

/** The window that is on, or the next one. */
function MaintenanceTimes({ starts_at, ends_at }: NonNullable<Fleet['maintenance']>) {
  return (
    <>
      <Moment at={starts_at} /> – <Moment at={ends_at} />
    </>
  );
}
