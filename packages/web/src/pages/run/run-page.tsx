import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, Outlet } from '@tanstack/react-router';
import { Trash2 } from 'lucide-react';
import { runQuery } from '../../data/runs/run-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { buttonClass } from '../../ui/button/button.tsx';
import { Banner } from '../../ui/feedback/banner.tsx';
import { ErrorPanel } from '../../ui/feedback/error-panel.tsx';
import { isMissingError } from '../../ui/feedback/error-text.ts';
import { Skeleton } from '../../ui/feedback/skeleton.tsx';
import { PageFrame } from '../../ui/panel/page.tsx';
import { usePageTitle } from '../../ui/panel/page-title.ts';
import { RunPageContext } from './run-context.tsx';
import { RunFrame } from './run-frame.tsx';

const route = getRouteApi('/shell/projects/$project/runs/$run');

/** A run: its header and tabs. The tabs are routes of their own. */
export function RunPage() {
  const { project, run: ref } = route.useParams();
  const client = useClient();
  const { data: run, error, refetch } = useQuery(runQuery(client, project, ref));
  usePageTitle(run?.run_spec.run_name ?? ref);
  if (run !== undefined) {
    const isDeleted = isMissingError(error) || run.deleted === true;
    return (
      <RunPageContext.Provider value={run}>
        <RunFrame run={run} notice={isDeleted ? <Deleted /> : null}>
          <Outlet />
        </RunFrame>
      </RunPageContext.Provider>
    );
  }
  if (error !== null) {
    const isMissing = isMissingError(error);
    return (
      <ErrorPanel
        page
        title={isMissing ? `There is no run ${ref}` : 'The run could not be loaded'}
        error={error}
        onRetry={isMissing ? undefined : () => void refetch()}
        actions={
          <Link to="/runs" className={buttonClass({})}>
            All runs
          </Link>
        }
      />
    );
  }
  return (
    <PageFrame title={ref}>
      <Skeleton lines={6} />
    </PageFrame>
  );
}

function Deleted() {
  return (
    <Banner tone="warning" icon={Trash2}>
      This run was deleted. You see what was loaded before.
    </Banner>
  );
}
