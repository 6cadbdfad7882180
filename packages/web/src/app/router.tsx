import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Navigate,
  type RouterHistory,
  retainSearchParams,
} from '@tanstack/react-router';
import * as z from 'zod/mini';
import { MetricsSearch } from '../pages/run/metrics-search.ts';
import { RunSearch } from '../pages/run/run-search.ts';
import { RunsSearch } from '../pages/runs/runs-search.ts';
import { Gate } from './gate.tsx';
import { PageError, PageNotFound, PagePending } from './page-states.tsx';
import { Shell } from './shell/shell.tsx';

const RootSearch = z.object({
  /** Limits all lists to one project. */
  project: z.catch(z.optional(z.string().check(z.minLength(1), z.maxLength(100))), undefined),
});

const root = createRootRoute({
  validateSearch: (search) => RootSearch.parse(search),
  search: { middlewares: [retainSearchParams(['project'])] },
  component: Gate,
});

const shell = createRoute({ getParentRoute: () => root, id: 'shell', component: Shell });

const home = createRoute({
  getParentRoute: () => shell,
  path: '/',
  component: () => <Navigate to="/runs" replace />,
});

const runs = createRoute({
  getParentRoute: () => shell,
  path: '/runs',
  validateSearch: (search) => RunsSearch.parse(search),
  component: lazyRouteComponent(() => import('../pages/runs/runs-page.tsx'), 'RunsPage'),
});

const run = createRoute({
  getParentRoute: () => shell,
  path: '/projects/$project/runs/$run',
  validateSearch: (search) => RunSearch.parse(search),
  component: lazyRouteComponent(() => import('../pages/run/run-page.tsx'), 'RunPage'),
});

const runOverview = createRoute({
  getParentRoute: () => run,
  path: '/',
  component: lazyRouteComponent(
    () => import('../pages/run/run-overview-page.tsx'),
    'RunOverviewPage',
  ),
});

const runLogs = createRoute({
  getParentRoute: () => run,
  path: '/logs',
  component: lazyRouteComponent(() => import('../pages/run/run-logs-page.tsx'), 'RunLogsPage'),
});

const runMetrics = createRoute({
  getParentRoute: () => run,
  path: '/metrics',
  validateSearch: (search) => MetricsSearch.parse(search),
  component: lazyRouteComponent(
    () => import('../pages/run/run-metrics-page.tsx'),
    'RunMetricsPage',
  ),
});

const runEvents = createRoute({
  getParentRoute: () => run,
  path: '/events',
  component: lazyRouteComponent(() => import('../pages/run/run-events-page.tsx'), 'RunEventsPage'),
});

const runConfiguration = createRoute({
  getParentRoute: () => run,
  path: '/configuration',
  component: lazyRouteComponent(
    () => import('../pages/run/run-configuration-page.tsx'),
    'RunConfigurationPage',
  ),
});

const runInspect = createRoute({
  getParentRoute: () => run,
  path: '/inspect',
  component: lazyRouteComponent(
    () => import('../pages/run/run-inspect-page.tsx'),
    'RunInspectPage',
  ),
});

const runRoutes = run.addChildren([
  runOverview,
  runLogs,
  runMetrics,
  runEvents,
  runConfiguration,
  runInspect,
]);

/** Every other address: the frame stays. */
const nowhere = createRoute({ getParentRoute: () => shell, path: '$', component: PageNotFound });

const routeTree = root.addChildren([shell.addChildren([home, runs, runRoutes, nowhere])]);

/** `history`: where the addresses are; default: in the browser. */
export function createAppRouter(history?: RouterHistory) {
  return createRouter({
    routeTree,
    ...(history === undefined ? {} : { history }),
    defaultPreload: 'intent',
    defaultPreloadStaleTime: 0,
    defaultErrorComponent: PageError,
    defaultNotFoundComponent: PageNotFound,
    defaultPendingComponent: PagePending,
    scrollRestoration: true,
  });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createAppRouter>;
  }
}
