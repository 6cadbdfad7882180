import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, Outlet, useNavigate } from '@tanstack/react-router';
import { Trash2 } from 'lucide-react';
import { fleetQuery } from '../../data/fleets/fleet-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { DeleteButton } from '../../domain/deletion/delete-dialog.tsx';
import { FLEET_DELETION } from '../../domain/fleets/fleet-deletion.tsx';
import { fleetLook } from '../../domain/fleets/fleet-look.ts';
import { fleetRow, nodesText } from '../../domain/fleets/fleet-row.ts';
import { hourlyText } from '../../domain/format/quantities.ts';
import { buttonClass } from '../../ui/button/button.tsx';
import { PageFrame } from '../../ui/panel/page.tsx';
import { ResourcePage } from '../../ui/panel/resource-page.tsx';
import { StatusBadge } from '../../ui/status/status-badge.tsx';
import { TabLinks, tabClass } from '../../ui/tabs/tab-links.tsx';
import { useOpenTab } from '../../ui/tabs/use-open-tab.ts';
import { RelativeTime } from '../../ui/time/time.tsx';
import styles from './fleet.module.css';
import { FleetContext } from './fleet-context.tsx';

const route = getRouteApi('/shell/projects/$project/fleets/$fleet');

const TABS = [
  ['/projects/$project/fleets/$fleet', 'Overview'],
  ['/projects/$project/fleets/$fleet/events', 'Events'],
  ['/projects/$project/fleets/$fleet/inspect', 'Inspect'],
] as const;

/** A fleet: its header and tabs. The tabs are routes of their own. */
export function FleetPage() {
  const params = route.useParams();
  const client = useClient();
  const navigate = useNavigate();
  return (
    <ResourcePage
      noun="fleet"
      name={params.fleet}
      part={useOpenTab(TABS)}
      query={useQuery(fleetQuery(client, params.project, params.fleet))}
      isDeleted={({ status }) => status === 'terminated'}
      statusText={({ status, maintenance }) => fleetLook(status, maintenance).text}
      back={
        <Link to="/fleets" className={buttonClass({})}>
          All fleets
        </Link>
      }
    >
      {(fleet, notice) => {
        const row = fleetRow(fleet);
        return (
          <PageFrame
            title={<bdi>{fleet.name}</bdi>}
            beside={<StatusBadge look={fleetLook(fleet.status, fleet.maintenance)} filled />}
            subtitle={
              <ul className={styles.facts}>
                <li>
                  {fleet.spec.configuration.ssh_config ? 'SSH hosts' : 'Instances'} of project{' '}
                  <bdi>{fleet.project_name}</bdi>
                </li>
                <li>
                  {row.instances.length} of {nodesText(fleet) || 'any number of'} nodes
                </li>
                {row.gpus === 0 ? null : (
                  <li>
                    {row.gpusInUse} of {row.gpus} GPUs in use
                  </li>
                )}
                {row.instances.length === 0 ? null : <li>{hourlyText(row.price)}</li>}
                <li>
                  created <RelativeTime at={fleet.created_at} />
                </li>
              </ul>
            }
            actions={
              <DeleteButton
                kind={FLEET_DELETION}
                items={[fleet]}
                icon={<Trash2 size={14} />}
                disabledReason={fleet.status === 'terminated' ? 'It was deleted' : null}
                onDone={() => void navigate({ to: '/fleets' })}
              />
            }
          >
            {notice}
            <TabLinks label="Parts of the fleet">
              {TABS.map(([to, label]) => (
                <Link
                  key={to}
                  to={to}
                  params={params}
                  activeOptions={{ exact: true, includeSearch: false }}
                  className={tabClass}
                >
                  {label}
                </Link>
              ))}
            </TabLinks>
            <FleetContext.Provider value={fleet}>
              <Outlet />
            </FleetContext.Provider>
          </PageFrame>
        );
      }}
    </ResourcePage>
  );
}
