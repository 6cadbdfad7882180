import { KeyRound } from 'lucide-react';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { Stack } from '../../ui/panel/columns.tsx';
import { PublicKeysPanel } from './public-keys-panel.tsx';
import { useShownUser } from './shown-user.ts';

/** The SSH keys of the user; the server has only the own ones for each. */
export function UserKeysPage() {
  const { user, isOwn } = useShownUser();
  if (!isOwn) {
    return (
      <EmptyState icon={KeyRound} title={`Only ${user.username} can see these keys`}>
        <p>Users add and delete their SSH keys on their own page.</p>
      </EmptyState>
    );
  }
  return (
    <Stack narrow>
      <PublicKeysPanel />
    </Stack>
  );
}
