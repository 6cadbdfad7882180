import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { QuotasSearch } from '../../pages/quotas/quotas-search.ts';
import { UserEventsSearch } from '../../pages/user/user-events-search.ts';
import { choiceParameter, searchSchema } from '../../ui/search-schema.ts';
import { ListSearch } from '../../ui/table/list-search.ts';
import { shell } from './frame.ts';

const UsageSearch = searchSchema({ days: choiceParameter(['1', '7', '30', '90']) });

const projects = createRoute({
  getParentRoute: () => shell,
  path: '/projects',
  validateSearch: (search) => ListSearch.parse(search),
  component: lazyRouteComponent(
    () => import('../../pages/projects/projects-page.tsx'),
    'ProjectsPage',
  ),
});

const quotas = createRoute({
  getParentRoute: () => shell,
  path: '/quotas',
  validateSearch: (search) => QuotasSearch.parse(search),
  component: lazyRouteComponent(() => import('../../pages/quotas/quotas-page.tsx'), 'QuotasPage'),
});

const project = createRoute({
  getParentRoute: () => shell,
  path: '/projects/$project',
  component: lazyRouteComponent(
    () => import('../../pages/project/project-page.tsx'),
    'ProjectPage',
  ),
});

const projectSettings = createRoute({
  getParentRoute: () => project,
  path: '/',
  component: lazyRouteComponent(
    () => import('../../pages/project/project-settings-page.tsx'),
    'ProjectSettingsPage',
  ),
});

const projectMembers = createRoute({
  getParentRoute: () => project,
  path: '/members',
  component: lazyRouteComponent(
    () => import('../../pages/project/project-members-page.tsx'),
    'ProjectMembersPage',
  ),
});

const projectBackends = createRoute({
  getParentRoute: () => project,
  path: '/backends',
  component: lazyRouteComponent(
    () => import('../../pages/project/project-backends-page.tsx'),
    'ProjectBackendsPage',
  ),
});

const projectSecrets = createRoute({
  getParentRoute: () => project,
  path: '/secrets',
  component: lazyRouteComponent(
    () => import('../../pages/project/project-secrets-page.tsx'),
    'ProjectSecretsPage',
  ),
});

const projectTokens = createRoute({
  getParentRoute: () => project,
  path: '/tokens',
  component: lazyRouteComponent(
    () => import('../../pages/project/project-tokens-page.tsx'),
    'ProjectTokensPage',
  ),
});

const projectExports = createRoute({
  getParentRoute: () => project,
  path: '/exports',
  component: lazyRouteComponent(
    () => import('../../pages/project/project-exports-page.tsx'),
    'ProjectExportsPage',
  ),
});

const projectUsage = createRoute({
  getParentRoute: () => project,
  path: '/usage',
  validateSearch: (search) => UsageSearch.parse(search),
  component: lazyRouteComponent(
    () => import('../../pages/project/project-usage-page.tsx'),
    'ProjectUsagePage',
  ),
});

const users = createRoute({
  getParentRoute: () => shell,
  path: '/users',
  validateSearch: (search) => ListSearch.parse(search),
  component: lazyRouteComponent(() => import('../../pages/users/users-page.tsx'), 'UsersPage'),
});

const user = createRoute({
  getParentRoute: () => shell,
  path: '/users/$user',
  component: lazyRouteComponent(() => import('../../pages/user/user-page.tsx'), 'UserPage'),
});

const userAccount = createRoute({
  getParentRoute: () => user,
  path: '/',
  component: lazyRouteComponent(
    () => import('../../pages/user/user-account-page.tsx'),
    'UserAccountPage',
  ),
});

const userProjects = createRoute({
  getParentRoute: () => user,
  path: '/projects',
  component: lazyRouteComponent(
    () => import('../../pages/user/user-projects-page.tsx'),
    'UserProjectsPage',
  ),
});

const userKeys = createRoute({
  getParentRoute: () => user,
  path: '/public-keys',
  component: lazyRouteComponent(
    () => import('../../pages/user/user-keys-page.tsx'),
    'UserKeysPage',
  ),
});

const userEvents = createRoute({
  getParentRoute: () => user,
  path: '/events',
  validateSearch: (search) => UserEventsSearch.parse(search),
  component: lazyRouteComponent(
    () => import('../../pages/user/user-events-page.tsx'),
    'UserEventsPage',
  ),
});

const server = createRoute({
  getParentRoute: () => shell,
  path: '/server',
  component: lazyRouteComponent(() => import('../../pages/server/server-page.tsx'), 'ServerPage'),
});

export const accessPages = [
  server,
  users,
  user.addChildren([userAccount, userProjects, userKeys, userEvents]),
  projects,
  quotas,
  project.addChildren([
    projectSettings,
    projectMembers,
    projectBackends,
    projectSecrets,
    projectTokens,
    projectExports,
    projectUsage,
  ]),
] as const;
