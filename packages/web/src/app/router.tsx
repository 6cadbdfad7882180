import {
  createRoute,
  createRouter,
  lazyRouteComponent,
  type RouterHistory,
} from '@tanstack/react-router';
import { PageError, PageNotFound, PagePending } from './page-states.tsx';
import { accessPages } from './routes/access.ts';
import { capacityPages } from './routes/capacity.ts';
import { root, shell } from './routes/frame.ts';
import { launchPages } from './routes/launch.ts';
import { runPages } from './routes/runs.ts';
import { callbackPage, signOutPage } from './routes/sign-in.ts';

const home = createRoute({
  getParentRoute: () => shell,
  path: '/',
  component: lazyRouteComponent(
    () => import('../pages/overview/overview-page.tsx'),
    'OverviewPage',
  ),
});

/** Every other address: the frame stays. */
const nowhere = createRoute({ getParentRoute: () => shell, path: '$', component: PageNotFound });

const routeTree = root.addChildren([
  callbackPage,
  shell.addChildren([
    ...[home, signOutPage, ...runPages, ...launchPages],
    ...[...capacityPages, ...accessPages, nowhere],
  ]),
]);

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
