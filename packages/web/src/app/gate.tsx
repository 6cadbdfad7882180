import { Outlet } from '@tanstack/react-router';
import { useEffect } from 'react';
import { useLive } from '../data/live/live-context.tsx';
import { useSession, useSessionState } from '../data/session/session-context.tsx';
import { SignInPage } from '../pages/sign-in/sign-in-page.tsx';
import { Button } from '../ui/button/button.tsx';
import { ErrorPanel } from '../ui/feedback/error-panel.tsx';
import { CommandProvider } from './commands/command-context.tsx';
import { FrameCommands } from './frame-commands.tsx';
import { PaletteProvider } from './palette/palette-context.tsx';

/** Shows the pages to signed-in users. Others sign in at the same address, and then see its page. */
export function Gate() {
  const session = useSession();
  const state = useSessionState();
  switch (state.kind) {
    case 'checking':
      return null;
    case 'unreachable':
      return (
        <ErrorPanel
          page
          title="The server does not answer"
          error={state.error}
          actions={<Button onClick={() => void session.check()}>Try again</Button>}
        />
      );
    case 'signed-out':
      return <SignInPage reason={state.reason} />;
    case 'signed-in':
      // Another user must not see anything of the user before.
      return <SignedIn key={state.user.id} />;
  }
}

function SignedIn() {
  const live = useLive();
  useEffect(() => live.start(), [live]);
  return (
    <CommandProvider>
      <PaletteProvider>
        <FrameCommands />
        <Outlet />
      </PaletteProvider>
    </CommandProvider>
  );
}
