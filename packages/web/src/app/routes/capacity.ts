import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { EventsSearch } from '../../domain/events/events-search.ts';
import { BoardSearch } from '../../pages/board/board-search.ts';
import { GatewaySearch } from '../../pages/gateway/gateway-search.ts';
import { InstancesSearch } from '../../pages/instances/instances-search.ts';
import { EndedSearch } from '../../ui/table/ended-search.ts';
import { ListSearch } from '../../ui/table/list-search.ts';
import { shell } from './frame.ts';

const fleets = createRoute({
  getParentRoute: () => shell,
  path: '/fleets',
  validateSearch: (search) => EndedSearch.parse(search),
  component: lazyRouteComponent(() => import('../../pages/fleets/fleets-page.tsx'), 'FleetsPage'),
});

const addFleet = createRoute({
  getParentRoute: () => shell,
  path: '/projects/$project/fleets/add',
  component: lazyRouteComponent(
    () => import('../../pages/add-fleet/add-fleet-page.tsx'),
    'AddFleetPage',
  ),
});

const fleet = createRoute({
  getParentRoute: () => shell,
  path: '/projects/$project/fleets/$fleet',
  component: lazyRouteComponent(() => import('../../pages/fleet/fleet-page.tsx'), 'FleetPage'),
});

const fleetOverview = createRoute({
  getParentRoute: () => fleet,
  path: '/',
  component: lazyRouteComponent(
    () => import('../../pages/fleet/fleet-overview-page.tsx'),
    'FleetOverviewPage',
  ),
});

const fleetEvents = createRoute({
  getParentRoute: () => fleet,
  path: '/events',
  component: lazyRouteComponent(
    () => import('../../pages/fleet/fleet-events-page.tsx'),
    'FleetEventsPage',
  ),
});

const fleetInspect = createRoute({
  getParentRoute: () => fleet,
  path: '/inspect',
  component: lazyRouteComponent(
    () => import('../../pages/fleet/fleet-inspect-page.tsx'),
    'FleetInspectPage',
  ),
});

const instances = createRoute({
  getParentRoute: () => shell,
  path: '/instances',
  validateSearch: (search) => InstancesSearch.parse(search),
  component: lazyRouteComponent(
    () => import('../../pages/instances/instances-page.tsx'),
    'InstancesPage',
  ),
});

const board = createRoute({
  getParentRoute: () => shell,
  path: '/board',
  validateSearch: (search) => BoardSearch.parse(search),
  component: lazyRouteComponent(() => import('../../pages/board/board-page.tsx'), 'BoardPage'),
});

const instance = createRoute({
  getParentRoute: () => shell,
  path: '/projects/$project/instances/$instance',
  component: lazyRouteComponent(
    () => import('../../pages/instance/instance-page.tsx'),
    'InstancePage',
  ),
});

const services = createRoute({
  getParentRoute: () => shell,
  path: '/services',
  validateSearch: (search) => ListSearch.parse(search),
  component: lazyRouteComponent(
    () => import('../../pages/services/services-page.tsx'),
    'ServicesPage',
  ),
});

const playground = createRoute({
  getParentRoute: () => shell,
  path: '/projects/$project/models/$run',
  component: lazyRouteComponent(
    () => import('../../pages/playground/playground-page.tsx'),
    'PlaygroundPage',
  ),
});

const volumes = createRoute({
  getParentRoute: () => shell,
  path: '/volumes',
  validateSearch: (search) => EndedSearch.parse(search),
  component: lazyRouteComponent(
    () => import('../../pages/volumes/volumes-page.tsx'),
    'VolumesPage',
  ),
});

const volume = createRoute({
  getParentRoute: () => shell,
  path: '/projects/$project/volumes/$volume',
  component: lazyRouteComponent(() => import('../../pages/volume/volume-page.tsx'), 'VolumePage'),
});

const gateways = createRoute({
  getParentRoute: () => shell,
  path: '/gateways',
  validateSearch: (search) => ListSearch.parse(search),
  component: lazyRouteComponent(
    () => import('../../pages/gateways/gateways-page.tsx'),
    'GatewaysPage',
  ),
});

const gateway = createRoute({
  getParentRoute: () => shell,
  path: '/projects/$project/gateways/$gateway',
  validateSearch: (search) => GatewaySearch.parse(search),
  component: lazyRouteComponent(
    () => import('../../pages/gateway/gateway-page.tsx'),
    'GatewayPage',
  ),
});

const events = createRoute({
  getParentRoute: () => shell,
  path: '/events',
  validateSearch: (search) => EventsSearch.parse(search),
  component: lazyRouteComponent(() => import('../../pages/events/events-page.tsx'), 'EventsPage'),
});

export const capacityPages = [
  fleets,
  addFleet,
  fleet.addChildren([fleetOverview, fleetEvents, fleetInspect]),
  instances,
  board,
  instance,
  services,
  playground,
  volumes,
  volume,
  gateways,
  gateway,
  events,
] as const;
