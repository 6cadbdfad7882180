import type { ServiceSignInRequest } from '@dstack/contract/api';
import type { OpenedSession, ServiceSignIn, Session } from '@dstack/contract/wire';
import type { Transport } from '../transport.ts';

/** The parameters that a sign-in provider sends back by the browser. */
export interface ProviderRedirect {
  readonly code: string;
  readonly state: string;
  /** The parameter `iss`, if there is one. */
  readonly iss: string | null;
}

/** Signing browsers in and out. The browser keeps the session's cookie; scripts cannot read it. */
export function sessionOf(transport: Transport) {
  return {
    /**
     * Exchanges the user's token for a session. Keep `key`, for example in `localStorage`, and return it
     * from `sessionKey` of the client's options. `persistent`: the session outlives the browser.
     *
     * @throws ForbiddenError if the token is wrong, or the page is not the server's own.
     */
    open: (token: string, persistent = false): Promise<OpenedSession> =>
      transport.write('/api/session', { persistent }, { token }),
    /** Like `open`, with the parameters of the redirect of a provider to a page of the server. */
    openThrough: (
      provider: string,
      redirected: ProviderRedirect,
      persistent = false,
    ): Promise<OpenedSession> =>
      transport.write(`/api/auth/${encodeURIComponent(provider)}/session`, {
        ...redirected,
        persistent,
      }),
    /** Never fails for strangers: `user` is null for them. */
    get: (): Promise<Session> => transport.get('/api/session', {}),
    end: (): Promise<void> => transport.delete('/api/session'),
    /** Signs out everywhere. The token stays valid. */
    endAll: (): Promise<void> => transport.delete('/api/session/all'),
  };
}

/**
 * For the page to which a service with a host name of its own sends its visitors. Needs the session of a
 * browser; the returned address signs that browser in at the service, once.
 */
export function signInAtService(
  transport: Transport,
  request: ServiceSignInRequest,
): Promise<ServiceSignIn> {
  return transport.write('/api/services/sign_in', request);
}
