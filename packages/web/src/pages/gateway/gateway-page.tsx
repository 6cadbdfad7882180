import type { Gateway } from '@dstack/contract/wire';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { Lock, LockOpen, Star, Trash2 } from 'lucide-react';
import { gatewayKeys, gatewayQuery } from '../../data/gateways/gateway-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { DeleteButton } from '../../domain/deletion/delete-dialog.tsx';
import { EventsPanel } from '../../domain/events/events-panel.tsx';
import { ExplainPanel } from '../../domain/explain/explain-panel.tsx';
import { backendText } from '../../domain/format/resources.ts';
import { GATEWAY_DELETION } from '../../domain/gateways/gateway-deletion.tsx';
import { gatewayLook } from '../../domain/gateways/gateway-look.ts';
import { Button, buttonClass } from '../../ui/button/button.tsx';
import { InspectPanel } from '../../ui/code/inspect-panel.tsx';
import { errorText } from '../../ui/feedback/error-text.ts';
import { TwoColumns } from '../../ui/panel/columns.tsx';
import { PageFrame } from '../../ui/panel/page.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { Properties } from '../../ui/panel/properties.tsx';
import { ResourcePage } from '../../ui/panel/resource-page.tsx';
import { StatusBadge } from '../../ui/status/status-badge.tsx';
import { RelativeTime } from '../../ui/time/time.tsx';
import { toast } from '../../ui/toast/toaster.tsx';
import { CertificatesPanel } from './certificates-panel.tsx';
import { DomainPanel } from './domain-panel.tsx';
import { LogsPanel } from './logs-panel.tsx';

const route = getRouteApi('/shell/projects/$project/gateways/$gateway');

/** A gateway: its replicas, its domain, and the services behind it. */
export function GatewayPage() {
  const params = route.useParams();
  const client = useClient();
  const cache = useQueryClient();
  const navigate = useNavigate();
  const makeDefault = async (gateway: Gateway) => {
    try {
      await client.project(params.project).gateways.setDefault(gateway.name);
      await cache.invalidateQueries({ queryKey: gatewayKeys.all });
      toast.done(`${gateway.name} is the default gateway now`);
    } catch (error) {
      toast.failed('The default could not be changed', errorText(error).what);
    }
  };
  const forbidNewServices = async (gateway: Gateway, forbid: boolean) => {
    try {
      const configuration = { ...gateway.configuration, forbid_new_services: forbid };
      const spec = { configuration, configuration_path: null };
      await client.project(params.project).gateways.apply({ spec, current_resource: gateway });
      await cache.invalidateQueries({ queryKey: gatewayKeys.all });
      const what = forbid ? 'accepts no new services now' : 'accepts new services again';
      toast.done(`${gateway.name} ${what}`);
    } catch (error) {
      toast.failed('The gateway could not be changed', errorText(error).what);
    }
  };
  return (
    <ResourcePage
      noun="gateway"
      name={params.gateway}
      query={useQuery(gatewayQuery(client, params.project, params.gateway))}
      statusText={({ status }) => gatewayLook(status).text}
      back={
        <Link to="/gateways" className={buttonClass({})}>
          All gateways
        </Link>
      }
    >
      {(gateway, notice) => (
        <PageFrame
          title={<bdi>{gateway.name}</bdi>}
          beside={<StatusBadge look={gatewayLook(gateway.status)} filled />}
          subtitle={
            <>
              {gateway.default ? 'Default gateway' : 'Gateway'} of project{' '}
              <bdi>{gateway.project_name}</bdi>, created <RelativeTime at={gateway.created_at} />
            </>
          }
          actions={
            <>
              {gateway.default ? null : (
                <Button icon={<Star size={14} />} onClick={() => void makeDefault(gateway)}>
                  Make default
                </Button>
              )}
              {gateway.configuration.forbid_new_services ? (
                <Button
                  icon={<LockOpen size={14} />}
                  onClick={() => void forbidNewServices(gateway, false)}
                >
                  Accept new services
                </Button>
              ) : (
                <Button
                  icon={<Lock size={14} />}
                  onClick={() => void forbidNewServices(gateway, true)}
                >
                  Refuse new services
                </Button>
              )}
              <DeleteButton
                kind={GATEWAY_DELETION}
                items={[gateway]}
                icon={<Trash2 size={14} />}
                onDone={() => void navigate({ to: '/gateways' })}
              />
            </>
          }
        >
          {notice}
          <TwoColumns
            main={
              <>
                <ExplainPanel project={gateway.project_name} kind="gateways" name={gateway.name} />
                <DomainPanel gateway={gateway} />
                <CertificatesPanel certificates={gateway.certificates} />
                <LogsPanel gateway={gateway} />
                <EventsPanel filter="within_gateways" id={gateway.id} />
              </>
            }
            side={
              <>
                <Details gateway={gateway} />
                <InspectPanel noun="gateway" value={gateway} folded />
              </>
            }
          />
        </PageFrame>
      )}
    </ResourcePage>
  );
}

function Details({ gateway }: { readonly gateway: Gateway }) {
  const { configuration, replicas } = gateway;
  return (
    <Panel title="Details">
      <Properties
        items={[
          { label: 'Backend', value: backendText(configuration.backend, configuration.region) },
          { label: 'Region', value: configuration.region },
          { label: 'Instance type', value: configuration.instance_type },
          { label: 'Certificate', value: configuration.certificate?.type ?? 'none' },
          {
            label: 'New services',
            value: configuration.forbid_new_services ? 'refused' : 'accepted',
          },
          { label: 'Public address', value: configuration.public_ip ? 'yes' : 'no' },
          {
            label: 'Replicas',
            wide: true,
            value:
              replicas.length === 0 ? null : (
                <ul>
                  {replicas.map(({ replica_num, hostname, status, status_message }) => (
                    <li key={replica_num}>
                      {[`${replica_num}: ${status}`, hostname, status_message]
                        .filter(Boolean)
                        .join(', ')}
                    </li>
                  ))}
                </ul>
              ),
          },
          { label: 'Message', value: gateway.status_message, wide: true },
          { label: 'Id', value: <code>{gateway.id}</code>, wide: true },
        ]}
      />
    </Panel>
  );
}
