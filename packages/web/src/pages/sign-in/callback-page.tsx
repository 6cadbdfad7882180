import type { ProviderRedirect } from '@dstack/client';
import { getRouteApi } from '@tanstack/react-router';
import { TriangleAlert } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { ARRIVED } from '../../data/session/arrived.ts';
import { takePendingSignIn } from '../../data/session/provider-sign-in.ts';
import { providerFaultText, SignInError } from '../../data/session/session.ts';
import { useSession } from '../../data/session/session-context.tsx';
import { providerTitle } from '../../domain/users/sign-in-providers.ts';
import { Banner } from '../../ui/feedback/banner.tsx';
import { ConsentPage } from './consent-page.tsx';
import { SignInFrame } from './sign-in-frame.tsx';
import { SignInWays } from './sign-in-page.tsx';

const route = getRouteApi('/auth/$provider/callback');

/** Where a provider redirects to: ends the sign-in of this page, or of a client on the computer. */
export function CallbackPage() {
  const { provider } = route.useParams();
  const session = useSession();
  const [error, setError] = useState<string | null>(null);
  const [isHandedOver, setHandedOver] = useState(false);
  /** Where a program of this computer waits, of which the person has to know. */
  const [asked, setAsked] = useState<{ readonly next: string; readonly user: string } | null>(null);
  const begun = useRef(false);
  // The parameters are valid once, and this asks the server.
  useEffect(() => {
    if (begun.current) return;
    begun.current = true;
    const finish = async () => {
      const redirected = providerRedirect(provider);
      const answer = await session.client.auth.nextRedirect(redirected);
      const { redirect_url: next, needs_consent: needsConsent, username: user } = answer;
      if (next !== null) {
        if (needsConsent) setAsked({ next, user: user ?? 'you' });
        else {
          setHandedOver(true);
          window.location.replace(next);
        }
        return;
      }
      const { path, persistent } = takePendingSignIn(() => window.sessionStorage);
      await session.signInThrough(provider, redirected, persistent);
      // A new page: nothing of this one, which knows the code, remains.
      window.location.replace(path);
    };
    finish().catch((failure: unknown) => setError(providerFaultText(failure)));
  }, [session, provider]);
  if (asked !== null) {
    return (
      <ConsentPage
        provider={provider}
        user={asked.user}
        port={new URL(asked.next).port || '80'}
        onAgree={() => {
          setAsked(null);
          setHandedOver(true);
          window.location.replace(asked.next);
        }}
        onRefuse={() => {
          setAsked(null);
          setError('Nothing was handed over. You can close this page.');
        }}
      />
    );
  }
  if (error === null) {
    return (
      <SignInFrame title="Signing in">
        <p role="status">
          {isHandedOver
            ? 'The command line continues. You can close this page.'
            : `Waiting for the answer of ${providerTitle(provider)}`}
        </p>
      </SignInFrame>
    );
  }
  return (
    <SignInFrame title="Sign in">
      <div role="alert">
        <Banner tone="failed" icon={TriangleAlert}>
          {error}
        </Banner>
      </div>
      <SignInWays />
    </SignInFrame>
  );
}

/** Throws `SignInError` if the provider reports an error instead of a code. */
function providerRedirect(provider: string): ProviderRedirect {
  const [code, state, iss] = ['code', 'state', 'iss'].map((name) => ARRIVED.get(name));
  if (code && state) return { code, state, iss: iss ?? null };
  throw new SignInError(faultText(providerTitle(provider)));
}

/** The query may come from a stranger: its text is quoted, and never the whole message. */
function faultText(title: string): string {
  const fault = ARRIVED.get('error') ?? 'no code';
  const words = ARRIVED.get('error_description') ?? '';
  if (fault === 'access_denied') {
    return `You were not let in by ${title}, or declined. Sign in again, or ask who manages ${title} to admit you to this application.`;
  }
  const quoted = words === '' ? fault : `${fault}: ${words}`;
  return `The sign-in through ${title} failed. It reports “${quoted.slice(0, 300)}”. Begin again; if it stays, the settings of the provider or of this server are wrong.`;
}
