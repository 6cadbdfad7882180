import type { User } from '@dstack/contract/wire';
import { RotateCcw } from 'lucide-react';
import { useState } from 'react';
import { useClient, useUser } from '../../data/session/session-context.tsx';
import { Button } from '../../ui/button/button.tsx';
import { ConfirmDialog } from '../../ui/dialog/confirm-dialog.tsx';
import { RevealedSecret } from '../../ui/form/revealed-secret.tsx';
import { Panel } from '../../ui/panel/panel.tsx';

/**
 * The token of the command line and the sign-in. Pages cannot read it, so that a script that runs in one by
 * mistake cannot either: who has lost the token gets another.
 */
export function TokenPanel({ user, isOwn }: { readonly user: User; readonly isOwn: boolean }) {
  const client = useClient();
  const me = useUser();
  const [asked, setAsked] = useState(false);
  const [fresh, setFresh] = useState<string | null>(null);
  const rotate = async () => {
    setFresh((await client.users.refreshToken(user.username)).creds.token);
  };
  if (!isOwn && me.global_role !== 'admin') return null;
  return (
    <Panel
      title="Token"
      actions={
        <Button size="sm" icon={<RotateCcw size={13} />} onClick={() => setAsked(true)}>
          Replace
        </Button>
      }
    >
      <p>
        The command line and programs use it. The server does not show it again: if it is lost,
        replace it.
      </p>
      <ConfirmDialog
        open={asked}
        onClose={() => setAsked(false)}
        title={isOwn ? 'Replace your token?' : `Replace the token of ${user.username}?`}
        action="Replace"
        onConfirm={rotate}
      >
        <p>
          The old token is refused at once: on the command line, in programs, and in
          {isOwn ? ' other ' : ' '}browsers. The new one is shown once.
        </p>
      </ConfirmDialog>
      <RevealedSecret
        secret={fresh}
        title={isOwn ? 'Your new token' : `The new token of ${user.username}`}
        onClose={() => setFresh(null)}
      />
    </Panel>
  );
}
