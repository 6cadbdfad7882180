import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { LaunchSearch } from '../../pages/launch/launch-search.ts';
import { OffersSearch } from '../../pages/offers/offers-search.ts';
import { shell } from './frame.ts';

const launch = createRoute({
  getParentRoute: () => shell,
  path: '/runs/launch',
  validateSearch: (search) => LaunchSearch.parse(search),
  component: lazyRouteComponent(() => import('../../pages/launch/launch-page.tsx'), 'LaunchPage'),
});

const offers = createRoute({
  getParentRoute: () => shell,
  path: '/offers',
  validateSearch: (search) => OffersSearch.parse(search),
  component: lazyRouteComponent(() => import('../../pages/offers/offers-page.tsx'), 'OffersPage'),
});

export const launchPages = [launch, offers] as const;
