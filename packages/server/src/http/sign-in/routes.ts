import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { userFor } from '../users/service.ts';
import { SignIns } from './service.ts';
import { localPortOf } from './sign-in-state.ts';

export function signInRoutes(on: On, deps: HttpDeps): void {
  const signIns = new SignIns(deps);
  on('auth.list_providers', async () =>
    deps.providers.all.map(({ name }) => ({ name, enabled: true })),
  );
  on('auth.get_next_redirect', async ({ body }) => ({ redirect_url: nextRedirect(body) }));
  on('auth.authorize', async ({ params, body, exchange }) => ({
    authorization_url: await signIns.begin(params.provider ?? '', body.local_port, exchange),
  }));
  on('auth.callback', async ({ params, body, exchange }) =>
    userFor(null, deps, await signIns.finish(params.provider ?? '', body, exchange)),
  );
  on('auth.open_session', ({ params, body, exchange }) =>
    signIns.openSession(params.provider ?? '', body, exchange),
  );
}

/** `state` contains whether a client on the user's computer waits for the end of the log-in. */
function nextRedirect(login: { readonly code: string; readonly state: string }): string | null {
  const port = localPortOf(login.state);
  if (port === null) return null;
  const query = new URLSearchParams({ code: login.code, state: login.state });
  return `http://localhost:${port}/auth/callback?${query}`;
}
