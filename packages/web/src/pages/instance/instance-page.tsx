import type { Instance } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { Trash2 } from 'lucide-react';
import { fleetJobs } from '../../data/fleets/fleet-queries.ts';
import { instanceQuery } from '../../data/fleets/instance-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { DeleteButton } from '../../domain/deletion/delete-dialog.tsx';
import { EventsPanel } from '../../domain/events/events-panel.tsx';
import { ExplainPanel } from '../../domain/explain/explain-panel.tsx';
import { instanceLook } from '../../domain/fleets/fleet-look.ts';
import { hostTiles } from '../../domain/fleets/host-map.ts';
import { HostMapLegend, HostMapView } from '../../domain/fleets/host-map-view.tsx';
import { InstanceCare } from '../../domain/fleets/instance-care.tsx';
import { INSTANCE_DELETION } from '../../domain/fleets/instance-deletion.tsx';
import { buttonClass } from '../../ui/button/button.tsx';
import { InspectPanel } from '../../ui/code/inspect-panel.tsx';
import { TwoColumns } from '../../ui/panel/columns.tsx';
import { PageFrame } from '../../ui/panel/page.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { ResourcePage } from '../../ui/panel/resource-page.tsx';
import { StatusBadge } from '../../ui/status/status-badge.tsx';
import { RelativeTime } from '../../ui/time/time.tsx';
import { HealthPanel } from './health-panel.tsx';
import { InstanceDetails } from './instance-details.tsx';

const route = getRouteApi('/shell/projects/$project/instances/$instance');

/** An instance: its hardware, its health, and the jobs on it. */
export function InstancePage() {
  const params = route.useParams();
  const client = useClient();
  const navigate = useNavigate();
  const query = useQuery(instanceQuery(client, params.project, params.instance));
  return (
    <ResourcePage
      noun="instance"
      name={query.data?.name ?? params.instance}
      query={query}
      statusText={(instance) => instanceLook(instance).text}
      back={
        <Link to="/instances" className={buttonClass({})}>
          All instances
        </Link>
      }
    >
      {(instance, notice) => (
        <PageFrame
          title={<bdi>{instance.name}</bdi>}
          beside={<StatusBadge look={instanceLook(instance)} filled />}
          subtitle={<Subtitle instance={instance} />}
          actions={
            <>
              {hasEnded(instance) ? null : <InstanceCare instance={instance} />}
              <DeleteButton
                kind={INSTANCE_DELETION}
                items={[instance]}
                icon={<Trash2 size={14} />}
                disabledReason={hasEnded(instance) ? 'It has ended' : null}
                onDone={() => void navigate({ to: '/instances' })}
              />
            </>
          }
        >
          {notice}
          <InstanceContent instance={instance} />
        </PageFrame>
      )}
    </ResourcePage>
  );
}

const hasEnded = ({ status }: Instance): boolean => status === 'terminated';

function Subtitle({ instance }: { readonly instance: Instance }) {
  const { project_name, fleet_name } = instance;
  return (
    <>
      Instance of fleet{' '}
      {fleet_name === null ? (
        '–'
      ) : (
        <Link
          to="/projects/$project/fleets/$fleet"
          params={{ project: project_name, fleet: fleet_name }}
        >
          <bdi>{fleet_name}</bdi>
        </Link>
      )}
      , created <RelativeTime at={instance.created} />
    </>
  );
}

function InstanceContent({ instance }: { readonly instance: Instance }) {
  const client = useClient();
  const { data: jobs = [] } = useQuery({
    ...fleetJobs(client, instance.project_name, instance.fleet_name ?? ''),
    enabled: instance.fleet_name !== null && !hasEnded(instance),
  });
  const tiles = hostTiles([instance], jobs);
  return (
    <TwoColumns
      main={
        <>
          {tiles.length === 0 ? null : (
            <Panel title="Jobs" actions={<HostMapLegend />}>
              <HostMapView tiles={tiles} />
            </Panel>
          )}
          {hasEnded(instance) ? null : (
            <ExplainPanel project={instance.project_name} kind="instances" name={instance.name} />
          )}
          <HealthPanel instance={instance} />
          <EventsPanel filter="target_instances" id={instance.id} />
        </>
      }
      side={
        <>
          <InstanceDetails instance={instance} />
          <InspectPanel noun="instance" value={instance} folded />
        </>
      }
    />
  );
}
