import { ResourceNotExistsError } from '@dstack/client';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, Outlet } from '@tanstack/react-router';
import { useClient, useUser } from '../../data/session/session-context.tsx';
import { userList } from '../../data/users/user-queries.ts';
import { buttonClass } from '../../ui/button/button.tsx';
import { PageFrame } from '../../ui/panel/page.tsx';
import { ResourcePage } from '../../ui/panel/resource-page.tsx';
import { TabLinks, tabClass } from '../../ui/tabs/tab-links.tsx';
import { useOpenTab } from '../../ui/tabs/use-open-tab.ts';
import { ShownUserContext } from './shown-user.ts';

const route = getRouteApi('/shell/users/$user');

const TABS = [
  ['/users/$user', 'Account'],
  ['/users/$user/projects', 'Projects'],
  ['/users/$user/public-keys', 'SSH keys'],
  ['/users/$user/events', 'Events'],
] as const;

/** A user: the own account, or for global admins any. The tabs are routes of their own. */
export function UserPage() {
  const { user: name } = route.useParams();
  const client = useClient();
  const me = useUser();
  const { data: users, error, refetch } = useQuery(userList(client));
  const user = users?.find(({ username }) => username === name);
  const isOwn = me.username === name;
  const missing = users !== undefined && user === undefined ? noSuchUser(name) : error;
  return (
    <ResourcePage
      noun="user"
      name={name}
      part={useOpenTab(TABS)}
      query={{ data: user, error: missing, refetch }}
      back={
        <Link to="/users" className={buttonClass({})}>
          All users
        </Link>
      }
    >
      {(user, notice) => (
        <PageFrame
          title={<bdi>{user.username}</bdi>}
          subtitle={
            <>
              {isOwn ? 'Your account' : `Global role: ${user.global_role}`}
              {user.active ? '' : ', deactivated'}
            </>
          }
        >
          {notice}
          <TabLinks label="Parts of the user">
            {TABS.map(([to, label]) => (
              <Link
                key={to}
                to={to}
                params={{ user: name }}
                activeOptions={{ exact: true, includeSearch: false }}
                className={tabClass}
              >
                {label}
              </Link>
            ))}
          </TabLinks>
          <ShownUserContext.Provider value={user}>
            <Outlet />
          </ShownUserContext.Provider>
        </PageFrame>
      )}
    </ResourcePage>
  );
}

/** Users who are not global admins get only themselves from the server. */
function noSuchUser(name: string): ResourceNotExistsError {
  return new ResourceNotExistsError(`You can see no user ${name}.`, {
    request: 'POST /api/users/list',
    ...{ status: 400, code: null, fields: [], body: null, requestId: null },
  });
}
