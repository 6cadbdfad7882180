import { useQuery } from '@tanstack/react-query';
import { Lock, RefreshCw } from 'lucide-react';
import {
  orphansQuery,
  serverStatusQuery,
  serverUsageQuery,
} from '../../data/server/server-queries.ts';
import { useClient, useUser } from '../../data/session/session-context.tsx';
import { Button } from '../../ui/button/button.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { ErrorPanel } from '../../ui/feedback/error-panel.tsx';
import { TwoColumns } from '../../ui/panel/columns.tsx';
import { PageFrame } from '../../ui/panel/page.tsx';
import { usePageTitle } from '../../ui/panel/page-title.ts';
import { QueuesPanel } from './queues-panel.tsx';
import { ServerPanel } from './server-panel.tsx';
import { OrphansPanel, SweepsPanel } from './sweeps-panels.tsx';
import { UsagePanel } from './usage-panel.tsx';

/** The state of the server, for global admins. */
export function ServerPage() {
  usePageTitle('Server');
  if (useUser().global_role !== 'admin') {
    return (
      <EmptyState page icon={Lock} title="This page is for global admins">
        <p>A global admin of the server can give you that role.</p>
      </EmptyState>
    );
  }
  return <ServerState />;
}

function ServerState() {
  const client = useClient();
  const status = useQuery(serverStatusQuery(client));
  const orphans = useQuery(orphansQuery(client));
  const usage = useQuery(serverUsageQuery(client));
  const refresh = () => void Promise.all([status.refetch(), orphans.refetch(), usage.refetch()]);
  if (status.data === undefined && status.error !== null) {
    return (
      <ErrorPanel
        page
        title="The state of the server could not be loaded"
        error={status.error}
        onRetry={refresh}
      />
    );
  }
  return (
    <PageFrame
      title="Server"
      actions={
        <Button
          icon={<RefreshCw size={14} />}
          busy={status.isFetching && status.data !== undefined}
          onClick={refresh}
        >
          Refresh
        </Button>
      }
    >
      <TwoColumns
        main={
          <>
            <QueuesPanel queues={status.data?.queues} />
            <UsagePanel usage={usage.data} />
            <SweepsPanel sweeps={orphans.data?.sweeps} />
            <OrphansPanel orphans={orphans.data?.orphans} />
          </>
        }
        side={<ServerPanel status={status.data} />}
      />
    </PageFrame>
  );
}
