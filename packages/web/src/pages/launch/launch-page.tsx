import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { projectList } from '../../data/projects/project-queries.ts';
import { useHasNoProject, useUsualProject } from '../../data/projects/usual-project.ts';
import { runQuery } from '../../data/runs/run-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { LAUNCH_TEMPLATES } from '../../domain/launch/templates.ts';
import { NoProjectPage } from '../../domain/projects/no-project.tsx';
import { configurationText } from '../../domain/runs/configuration-text.ts';
import { Skeleton } from '../../ui/feedback/skeleton.tsx';
import { PageFrame } from '../../ui/panel/page.tsx';
import { usePageTitle } from '../../ui/panel/page-title.ts';

// The frame is there before the reader of YAML, the editor and the form.
const LaunchView = lazy(() =>
  import('./launch-view.tsx').then((module) => ({ default: module.LaunchView })),
);

const route = getRouteApi('/shell/runs/launch');

/** Writes a configuration, shows what it would get, and submits it. */
export function LaunchPage() {
  usePageTitle('Launch a run');
  const client = useClient();
  const { project: wanted, from } = route.useSearch();
  const { data: projects, isPending } = useQuery(projectList(client));
  const names = projects?.map(({ project_name }) => project_name) ?? [];
  const usual = useUsualProject();
  const hasNoProject = useHasNoProject();
  const project = wanted ?? usual;
  const origin = useQuery({
    ...runQuery(client, project ?? '', from ?? ''),
    enabled: project !== null && from !== undefined,
  });
  const loading = (
    <PageFrame title="Launch a run">
      <Skeleton lines={8} />
    </PageFrame>
  );
  if (hasNoProject && wanted === undefined) return <NoProjectPage title="Launch a run" />;
  if (wanted === undefined && isPending) return loading;
  if (from !== undefined && origin.isPending) return loading;
  const text = origin.data
    ? configurationText(origin.data.run_spec.configuration)
    : (LAUNCH_TEMPLATES[0]?.text ?? '');
  return (
    <Suspense fallback={loading}>
      <LaunchView key={from ?? ''} project={project} projects={names} initial={text} />
    </Suspense>
  );
}
