import { Outlet, useMatchRoute } from '@tanstack/react-router';
import { lazy, Suspense, useEffect } from 'react';
import { useLive } from '../data/live/live-context.tsx';
import { useSession, useSessionState } from '../data/session/session-context.tsx';
import { DelayedStopsScope } from '../domain/runs/delayed-stops-context.tsx';
import { Button } from '../ui/button/button.tsx';
import { ErrorPanel } from '../ui/feedback/error-panel.tsx';
import { useInsteadOfFirstFrame } from '../ui/panel/first-frame.ts';
import { CommandProvider } from './commands/command-context.tsx';
import { FrameCommands } from './frame-commands.tsx';
import { PaletteProvider } from './palette/palette-context.tsx';
import { UndoStopCommand } from './undo-stop-command.tsx';

const SignInPage = lazy(() =>
  import('../pages/sign-in/sign-in-page.tsx').then((module) => ({ default: module.SignInPage })),
);

/** Shows the pages to signed-in users. Others sign in at the same address, and then see its page. */
export function Gate() {
  const session = useSession();
  const state = useSessionState();
  const matches = useMatchRoute();
  // Here people come back from a provider, with or without a session.
  if (matches({ to: '/auth/$provider/callback' })) return <Outlet />;
  switch (state.kind) {
    case 'checking':
      return null;
    case 'unreachable':
      return <Unreachable error={state.error} onRetry={() => void session.check()} />;
    case 'signed-out':
      return (
        <Suspense>
          <SignInPage reason={state.reason} />
        </Suspense>
      );
    case 'signed-in':
      // Another user must not see anything of the user before.
      return <SignedIn key={state.user.id} />;
  }
}

function Unreachable(props: { readonly error: unknown; readonly onRetry: () => void }) {
  useInsteadOfFirstFrame();
  return (
    <ErrorPanel
      page
      title="The server does not answer"
      error={props.error}
      actions={<Button onClick={props.onRetry}>Try again</Button>}
    />
  );
}

function SignedIn() {
  const live = useLive();
  useEffect(() => live.start(), [live]);
  return (
    <CommandProvider>
      <DelayedStopsScope>
        <PaletteProvider>
          <FrameCommands />
          <UndoStopCommand />
          <Outlet />
        </PaletteProvider>
      </DelayedStopsScope>
    </CommandProvider>
  );
}
