import { useQuery } from '@tanstack/react-query';
import { Info } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { signInProvidersQuery } from '../../data/session/provider-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { Button } from '../../ui/button/button.tsx';
import { Banner } from '../../ui/feedback/banner.tsx';
import { ProviderButtons } from './provider-buttons.tsx';
import { SignInFrame } from './sign-in-frame.tsx';
import { TokenForm } from './token-form.tsx';

const REASONS = {
  none: null,
  left: 'You have signed out.',
  ended: 'Your session has ended, or your token was replaced. Sign in to continue where you were.',
} as const;

/** Shown at any address to those who are not signed in. */
export function SignInPage({ reason }: { readonly reason: keyof typeof REASONS }) {
  const notice = REASONS[reason];
  return (
    <SignInFrame title="Sign in">
      {notice === null ? null : (
        <Banner tone={reason === 'ended' ? 'warning' : 'queued'} icon={Info}>
          {notice}
        </Banner>
      )}
      <SignInWays />
    </SignInFrame>
  );
}

/** Providers first, if the server has any; a token always works. */
export function SignInWays(): ReactNode {
  const providers = useQuery(signInProvidersQuery(useClient()));
  const [withToken, setWithToken] = useState(false);
  // Nothing moves when the answer comes; a server without one still takes tokens.
  if (providers.isPending) return null;
  const names = providers.data ?? [];
  if (names.length === 0) return <TokenForm />;
  return (
    <>
      <ProviderButtons names={names} />
      {withToken ? (
        <TokenForm />
      ) : (
        <Button variant="quiet" onClick={() => setWithToken(true)}>
          Sign in with a token
        </Button>
      )}
    </>
  );
}
