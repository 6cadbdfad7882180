import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { userFor } from '../users/service.ts';
import { SignIns } from './service.ts';

export function signInRoutes(on: On, deps: HttpDeps): void {
  const signIns = new SignIns(deps);
  on('auth.list_providers', async () =>
    deps.providers.all.map(({ name }) => ({ name, enabled: true })),
  );
  on('auth.get_next_redirect', ({ body, exchange }) => signIns.nextRedirect(body, exchange));
  on('auth.authorize', async ({ params, body, exchange }) => ({
    authorization_url: await signIns.begin(params.provider ?? '', body, exchange),
  }));
  on('auth.callback', async ({ params, body, exchange }) =>
    userFor(null, deps, await signIns.finish(params.provider ?? '', body, exchange)),
  );
  on('auth.open_session', ({ params, body, exchange }) =>
    signIns.openSession(params.provider ?? '', body, exchange),
  );
}
