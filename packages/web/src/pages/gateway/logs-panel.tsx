import type { Gateway } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { gatewayLogQuery } from '../../data/gateways/gateway-log-query.ts';
import { projectQuery } from '../../data/projects/project-queries.ts';
import { useClient, useUser } from '../../data/session/session-context.tsx';
import { projectRights } from '../../domain/projects/project-rights.ts';
import type { GatewaySearch } from './gateway-search.ts';
import { LogsView } from './logs-view.tsx';

const route = getRouteApi('/shell/projects/$project/gateways/$gateway');

/** The logs of the gateway's replicas, for users who may read them. */
export function LogsPanel({ gateway }: { readonly gateway: Gateway }) {
  const user = useUser();
  const { data: project } = useQuery(projectQuery(useClient(), gateway.project_name));
  if (project === undefined || !projectRights(project, user).canAdminister) return null;
  return <Logs gateway={gateway} />;
}

function Logs({ gateway }: { readonly gateway: Gateway }) {
  const { name, project_name: project } = gateway;
  const { replica = null, log = null, follow } = route.useSearch();
  const navigate = route.useNavigate();
  const follows = follow !== 'off';
  const query = useQuery(gatewayLogQuery(useClient(), { project, name, replica }, follows));
  const change = (changes: GatewaySearch) =>
    void navigate({
      search: (before) => ({ ...before, ...changes }),
      replace: true,
      resetScroll: false,
    });
  return (
    <LogsView
      log={query.data}
      error={query.error}
      onRetry={() => void query.refetch()}
      replicas={gateway.replicas.map(({ replica_num }) => replica_num)}
      replica={replica}
      source={log}
      follows={follows}
      onReplica={(chosen) => change({ replica: chosen ?? undefined })}
      onSource={(chosen) => change({ log: chosen ?? undefined })}
      onFollow={(on) => change({ follow: on ? undefined : 'off' })}
    />
  );
}
