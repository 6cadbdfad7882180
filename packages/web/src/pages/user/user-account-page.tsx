import { useUser } from '../../data/session/session-context.tsx';
import { Stack } from '../../ui/panel/columns.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { Properties } from '../../ui/panel/properties.tsx';
import { RelativeTime } from '../../ui/time/time.tsx';
import { AccountPanel } from './account-panel.tsx';
import { SessionsPanel } from './sessions-panel.tsx';
import { useShownUser } from './shown-user.ts';
import { TokenPanel } from './token-panel.tsx';

/** Who the user is, and how the user signs in. */
export function UserAccountPage() {
  const { user, isOwn } = useShownUser();
  const me = useUser();
  return (
    <Stack narrow>
      <Panel title="Details">
        <Properties
          items={[
            { label: 'E-mail', value: user.email ?? '–' },
            { label: 'Global role', value: user.global_role },
            { label: 'Created', value: user.created_at && <RelativeTime at={user.created_at} /> },
            { label: 'Id', value: <code>{user.id}</code>, wide: true },
          ]}
        />
      </Panel>
      {me.global_role === 'admin' ? <AccountPanel key={user.id} user={user} isOwn={isOwn} /> : null}
      <TokenPanel user={user} isOwn={isOwn} />
      {isOwn ? <SessionsPanel /> : null}
    </Stack>
  );
}
