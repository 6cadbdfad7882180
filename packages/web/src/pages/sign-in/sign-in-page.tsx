import { useQuery } from '@tanstack/react-query';
import { Info } from 'lucide-react';
import { type ReactNode, useEffect, useState } from 'react';
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

/** After this time, the form for tokens does not wait for the list of providers. */
const LATE_MS = 1000;

/** True after some time. */
function useLate(afterMs: number): boolean {
  const [isLate, setLate] = useState(false);
  // A timer is outside of React.
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), afterMs);
    return () => clearTimeout(timer);
  }, [afterMs]);
  return isLate;
}

/** Providers first, if the server has any; a token always works. */
export function SignInWays(): ReactNode {
  const providers = useQuery(signInProvidersQuery(useClient()));
  const [withToken, setWithToken] = useState(false);
  const isLate = useLate(LATE_MS);
  // Nothing moves when the answer comes soon; a server without one still takes tokens.
  if (providers.isPending) return isLate ? <TokenForm /> : null;
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
