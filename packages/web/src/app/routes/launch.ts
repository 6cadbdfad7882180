import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { LaunchSearch } from '../../pages/launch/launch-search.ts';
import { shell } from './frame.ts';

const launch = createRoute({
  getParentRoute: () => shell,
  path: '/runs/launch',
  validateSearch: (search) => LaunchSearch.parse(search),
  component: lazyRouteComponent(() => import('../../pages/launch/launch-page.tsx'), 'LaunchPage'),
});

export const launchPages = [launch] as const;
