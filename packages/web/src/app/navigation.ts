import {
  Activity,
  ChartNoAxesGantt,
  Cpu,
  FolderKanban,
  Gauge,
  Globe,
  HardDrive,
  History,
  LayoutDashboard,
  ListOrdered,
  type LucideIcon,
  Play,
  Server,
  Tags,
  Users,
  Waypoints,
} from 'lucide-react';

import type { SessionUser } from '../data/session/session.ts';

/** The addresses of the sections; the router refuses unknown ones where they are linked. */
export type SectionPath =
  | '/'
  | '/runs'
  | '/queue'
  | '/services'
  | '/fleets'
  | '/offers'
  | '/instances'
  | '/board'
  | '/volumes'
  | '/gateways'
  | '/events'
  | '/projects'
  | '/quotas'
  | '/users'
  | '/server';

export interface NavigationItem {
  readonly to: SectionPath;
  readonly label: string;
  readonly icon: LucideIcon;
  /** The second key after `g`. */
  readonly key: string;
  readonly adminOnly?: boolean;
}

export interface NavigationGroup {
  readonly label: string | null;
  readonly items: readonly NavigationItem[];
}

/** The sections of the UI: side navigation, palette and shortcuts read it. */
export const NAVIGATION: readonly NavigationGroup[] = [
  {
    label: null,
    items: [
      { to: '/', label: 'Overview', icon: LayoutDashboard, key: 'o' },
      { to: '/runs', label: 'Runs', icon: Play, key: 'r' },
      { to: '/queue', label: 'Queue', icon: ListOrdered, key: 'q' },
      { to: '/services', label: 'Services', icon: Waypoints, key: 'm' },
    ],
  },
  {
    label: 'Capacity',
    items: [
      { to: '/fleets', label: 'Fleets', icon: Server, key: 'f' },
      { to: '/instances', label: 'Instances', icon: Cpu, key: 'i' },
      { to: '/board', label: 'Board', icon: ChartNoAxesGantt, key: 'b' },
      { to: '/offers', label: 'Offers', icon: Tags, key: 'x' },
      { to: '/volumes', label: 'Volumes', icon: HardDrive, key: 'v' },
      { to: '/gateways', label: 'Gateways', icon: Globe, key: 'w' },
    ],
  },
  {
    label: 'Organisation',
    items: [
      { to: '/projects', label: 'Projects', icon: FolderKanban, key: 'p' },
      { to: '/quotas', label: 'Quotas', icon: Gauge, key: 'l' },
      { to: '/users', label: 'Users', icon: Users, key: 'u', adminOnly: true },
      { to: '/events', label: 'Events', icon: History, key: 'e' },
      { to: '/server', label: 'Server', icon: Activity, key: 's', adminOnly: true },
    ],
  },
];

/** The parts of a project that have sections of their own. */
const PARTS: Readonly<Record<string, SectionPath>> = {
  runs: '/runs',
  models: '/services',
  fleets: '/fleets',
  instances: '/instances',
  volumes: '/volumes',
  gateways: '/gateways',
};

/** The section that the page at this path belongs to; null: none. */
export function sectionOf(path: string): SectionPath | null {
  const [first = '', , part = ''] = path.split('/').filter(Boolean);
  if (first === 'compare') return '/runs';
  if (first === 'projects' && PARTS[part] !== undefined) return PARTS[part];
  const sections = NAVIGATION.flatMap(({ items }) => items.map(({ to }) => to));
  return sections.find((to) => to === `/${first}`) ?? null;
}

/** The groups of the navigation, with the pages that the user may open. */
export function navigationFor({ global_role }: SessionUser): readonly NavigationGroup[] {
  return NAVIGATION.map((group) => ({
    ...group,
    items: group.items.filter(({ adminOnly }) => !adminOnly || global_role === 'admin'),
  })).filter(({ items }) => items.length > 0);
}
