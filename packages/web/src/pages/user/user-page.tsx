import { ResourceNotExistsError } from '@dstack/client';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useClient, useUser } from '../../data/session/session-context.tsx';
import { userList } from '../../data/users/user-queries.ts';
import { buttonClass } from '../../ui/button/button.tsx';
import { Stack } from '../../ui/panel/columns.tsx';
import { PageFrame } from '../../ui/panel/page.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { Properties } from '../../ui/panel/properties.tsx';
import { ResourcePage } from '../../ui/panel/resource-page.tsx';
import { RelativeTime } from '../../ui/time/time.tsx';
import { AccountPanel } from './account-panel.tsx';
import { PublicKeysPanel } from './public-keys-panel.tsx';
import { SessionsPanel } from './sessions-panel.tsx';
import { TokenPanel } from './token-panel.tsx';
import styles from './user.module.css';
import { UserProjectsPanel } from './user-projects-panel.tsx';

const route = getRouteApi('/shell/users/$user');

/** A user: the own account, or for global admins any. */
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
          <Stack narrow>
            <Panel title="Details">
              <Properties
                items={[
                  { label: 'E-mail', value: user.email ?? '–' },
                  { label: 'Global role', value: user.global_role },
                  {
                    label: 'Created',
                    value: user.created_at && <RelativeTime at={user.created_at} />,
                  },
                  { label: 'Id', value: <code>{user.id}</code>, wide: true },
                ]}
              />
            </Panel>
            {me.global_role === 'admin' ? (
              <AccountPanel key={user.id} user={user} isOwn={isOwn} />
            ) : null}
            <UserProjectsPanel username={user.username} />
            <TokenPanel user={user} isOwn={isOwn} />
            {isOwn ? (
              <>
                <PublicKeysPanel />
                <SessionsPanel />
              </>
            ) : null}
            <Panel title="Events">
              <ul>
                <li>
                  <Link to="/events" search={{ actor: user.id }} className={styles.link}>
                    What the user did
                  </Link>
                </li>
                <li>
                  <Link to="/events" search={{ target_users: user.id }} className={styles.link}>
                    What happened to the user
                  </Link>
                </li>
              </ul>
            </Panel>
          </Stack>
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
