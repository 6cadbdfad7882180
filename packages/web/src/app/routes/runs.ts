import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { CompareSearch } from '../../pages/compare/compare-search.ts';
import { OpenServiceSearch } from '../../pages/open-service/open-service-search.ts';
import { QueueSearch } from '../../pages/queue/queue-search.ts';
import { MetricsSearch } from '../../pages/run/metrics-search.ts';
import { RunSearch } from '../../pages/run/run-search.ts';
import { RunsSearch } from '../../pages/runs/runs-search.ts';
import { shell } from './frame.ts';

const runs = createRoute({
  getParentRoute: () => shell,
  path: '/runs',
  validateSearch: (search) => RunsSearch.parse(search),
  component: lazyRouteComponent(() => import('../../pages/runs/runs-page.tsx'), 'RunsPage'),
});

const queue = createRoute({
  getParentRoute: () => shell,
  path: '/queue',
  validateSearch: (search) => QueueSearch.parse(search),
  component: lazyRouteComponent(() => import('../../pages/queue/queue-page.tsx'), 'QueuePage'),
});

const run = createRoute({
  getParentRoute: () => shell,
  path: '/projects/$project/runs/$run',
  validateSearch: (search) => RunSearch.parse(search),
  component: lazyRouteComponent(() => import('../../pages/run/run-page.tsx'), 'RunPage'),
});

const runOverview = createRoute({
  getParentRoute: () => run,
  path: '/',
  component: lazyRouteComponent(
    () => import('../../pages/run/run-overview-page.tsx'),
    'RunOverviewPage',
  ),
});

const runLogs = createRoute({
  getParentRoute: () => run,
  path: '/logs',
  component: lazyRouteComponent(() => import('../../pages/run/run-logs-page.tsx'), 'RunLogsPage'),
});

/** `TerminalKeeper` shows it, which outlives this route. */
const runTerminal = createRoute({
  getParentRoute: () => run,
  path: '/terminal',
  component: () => null,
});

const runMetrics = createRoute({
  getParentRoute: () => run,
  path: '/metrics',
  validateSearch: (search) => MetricsSearch.parse(search),
  component: lazyRouteComponent(
    () => import('../../pages/run/run-metrics-page.tsx'),
    'RunMetricsPage',
  ),
});

const runEvents = createRoute({
  getParentRoute: () => run,
  path: '/events',
  component: lazyRouteComponent(
    () => import('../../pages/run/run-events-page.tsx'),
    'RunEventsPage',
  ),
});

const runConfiguration = createRoute({
  getParentRoute: () => run,
  path: '/configuration',
  component: lazyRouteComponent(
    () => import('../../pages/run/run-configuration-page.tsx'),
    'RunConfigurationPage',
  ),
});

const runInspect = createRoute({
  getParentRoute: () => run,
  path: '/inspect',
  component: lazyRouteComponent(
    () => import('../../pages/run/run-inspect-page.tsx'),
    'RunInspectPage',
  ),
});

const runTabs = run.addChildren([
  runOverview,
  runLogs,
  runTerminal,
  runMetrics,
  runEvents,
  runConfiguration,
  runInspect,
]);

const openService = createRoute({
  getParentRoute: () => shell,
  path: '/open-service',
  validateSearch: (search) => OpenServiceSearch.parse(search),
  component: lazyRouteComponent(
    () => import('../../pages/open-service/open-service-page.tsx'),
    'OpenServicePage',
  ),
});

const compare = createRoute({
  getParentRoute: () => shell,
  path: '/compare',
  validateSearch: (search) => CompareSearch.parse(search),
  component: lazyRouteComponent(
    () => import('../../pages/compare/compare-page.tsx'),
    'ComparePage',
  ),
});

export const runPages = [runs, queue, runTabs, openService, compare] as const;
