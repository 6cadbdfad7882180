import { LogOut } from 'lucide-react';
import { useSession } from '../../data/session/session-context.tsx';
import { Button } from '../../ui/button/button.tsx';
import { Panel } from '../../ui/panel/panel.tsx';

/** Browsers that are signed in. */
export function SessionsPanel() {
  const session = useSession();
  return (
    <Panel
      title="Browsers"
      actions={
        <Button size="sm" icon={<LogOut size={13} />} onClick={() => void session.signOut(true)}>
          Sign out everywhere
        </Button>
      }
    >
      <p>Ends your sessions in all browsers, this one included. Your token stays valid.</p>
    </Panel>
  );
}
