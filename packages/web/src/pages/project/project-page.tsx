import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, Outlet } from '@tanstack/react-router';
import { projectQuery } from '../../data/projects/project-queries.ts';
import { useClient, useUser } from '../../data/session/session-context.tsx';
import { projectRights } from '../../domain/projects/project-rights.ts';
import { buttonClass } from '../../ui/button/button.tsx';
import { PageFrame } from '../../ui/panel/page.tsx';
import { ResourcePage } from '../../ui/panel/resource-page.tsx';
import { TabLinks, tabClass } from '../../ui/tabs/tab-links.tsx';
import { useOpenTab } from '../../ui/tabs/use-open-tab.ts';
import { ProjectContext } from './project-context.tsx';

const route = getRouteApi('/shell/projects/$project');

const TABS = [
  ['/projects/$project', 'Settings'],
  ['/projects/$project/members', 'Members'],
  ['/projects/$project/backends', 'Backends'],
  ['/projects/$project/secrets', 'Secrets'],
  ['/projects/$project/tokens', 'Service tokens'],
  ['/projects/$project/exports', 'Sharing'],
  ['/projects/$project/usage', 'Usage'],
] as const;

/** A project: its header and tabs. The tabs are routes of their own. */
export function ProjectPage() {
  const { project: name } = route.useParams();
  const client = useClient();
  const user = useUser();
  return (
    <ResourcePage
      noun="project"
      name={name}
      part={useOpenTab(TABS)}
      query={useQuery(projectQuery(client, name))}
      back={
        <Link to="/projects" className={buttonClass({})}>
          All projects
        </Link>
      }
    >
      {(project, notice) => (
        <PageFrame
          title={<bdi>{project.project_name}</bdi>}
          subtitle={
            <>
              {project.is_public ? 'Public' : 'Private'} project of{' '}
              <bdi>{project.owner.username}</bdi>. Your role:{' '}
              {projectRights(project, user).role ?? 'none'}
            </>
          }
        >
          {notice}
          <TabLinks label="Parts of the project">
            {TABS.map(([to, label]) => (
              <Link
                key={to}
                to={to}
                params={{ project: name }}
                activeOptions={{ exact: true, includeSearch: false }}
                className={tabClass}
              >
                {label}
              </Link>
            ))}
          </TabLinks>
          <ProjectContext.Provider value={project}>
            <Outlet />
          </ProjectContext.Provider>
        </PageFrame>
      )}
    </ResourcePage>
  );
}
