import { Stack } from '../../ui/panel/columns.tsx';
import { useShownUser } from './shown-user.ts';
import { UserProjectsPanel } from './user-projects-panel.tsx';

/** The projects of the user. */
export function UserProjectsPage() {
  const { user } = useShownUser();
  return (
    <Stack narrow>
      <UserProjectsPanel username={user.username} />
    </Stack>
  );
}
