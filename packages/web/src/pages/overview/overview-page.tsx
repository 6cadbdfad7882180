import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useMemo } from 'react';
import { instanceList } from '../../data/fleets/instance-queries.ts';
import { dailyCostQuery } from '../../data/overview/cost-query.ts';
import { overviewQuery } from '../../data/overview/overview-query.ts';
import { useHasNoProject, useUsualProject } from '../../data/projects/usual-project.ts';
import { runList } from '../../data/runs/run-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { NoProjectPage } from '../../domain/projects/no-project.tsx';
import { ErrorPanel } from '../../ui/feedback/error-panel.tsx';
import { usePageTitle } from '../../ui/panel/page-title.ts';
import { OverviewView } from './overview-view.tsx';

const route = getRouteApi('/shell/');

/** The start page: what runs, what failed, what is free, and what to do first. */
export function OverviewPage() {
  usePageTitle('Overview');
  const client = useClient();
  const { project = null } = route.useSearch();
  const usual = useUsualProject();
  const hasNoProject = useHasNoProject();
  const overview = useQuery(overviewQuery(client, project));
  const cost = useQuery(dailyCostQuery(client, project, 7));
  const instances = useQuery({
    ...instanceList(client, { project, active: false }),
    enabled: overview.data?.has_fleets === true,
  });
  const runs = useInfiniteQuery(runList(client, { project, user: null, active: true }));
  const active = useMemo(() => runs.data?.pages.flat(), [runs.data]);
  if (overview.data === undefined && overview.error !== null) {
    return (
      <ErrorPanel
        page
        title="The overview could not be loaded"
        error={overview.error}
        onRetry={() => void overview.refetch()}
      />
    );
  }
  if (hasNoProject && overview.data?.has_runs !== true) return <NoProjectPage title="Overview" />;
  return (
    <OverviewView
      overview={overview.data}
      active={active}
      cost={cost.data}
      instances={instances.data}
      project={project ?? usual ?? 'main'}
      server={location.origin}
    />
  );
}
