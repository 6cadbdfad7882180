import type { Instance } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, Navigate, useNavigate } from '@tanstack/react-router';
import { Trash2 } from 'lucide-react';
import { explainQuery } from '../../data/explain-query.ts';
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

interface InstanceAddress {
  readonly project: string;
  /** Its id, which lists link to; or its name, as people write it. */
  readonly instance: string;
}

/** An instance: its hardware, its health, and the jobs on it. */
export function InstancePage() {
  const address = route.useParams();
  return UUID.test(address.instance) ? (
    <InstanceOfId {...address} />
  ) : (
    <InstanceOfName {...address} />
  );
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const ALL_INSTANCES = (
  <Link to="/instances" className={buttonClass({})}>
    All instances
  </Link>
);

/** Moves to the address with the id: an instance that ends leaves its name to another one. */
function InstanceOfName({ project, instance: name }: InstanceAddress) {
  const { data, error, refetch } = useQuery(explainQuery(useClient(), project, 'instances', name));
  if (data !== undefined) {
    return (
      <Navigate
        replace
        to="/projects/$project/instances/$instance"
        params={{ project, instance: data.subject.id }}
      />
    );
  }
  const query = { data: undefined, error, refetch };
  return (
    <ResourcePage noun="instance" name={name} query={query} back={ALL_INSTANCES}>
      {() => null}
    </ResourcePage>
  );
}

function InstanceOfId({ project, instance: id }: InstanceAddress) {
  const client = useClient();
  const navigate = useNavigate();
  const query = useQuery(instanceQuery(client, project, id));
  return (
    <ResourcePage
      noun="instance"
      name={query.data?.name ?? id}
      query={query}
      statusText={(instance) => instanceLook(instance).text}
      back={ALL_INSTANCES}
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
