import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { endSession, openSession, wireSession } from './service.ts';

export function sessionRoutes(on: On, deps: HttpDeps): void {
  on('session.open', ({ user, body, exchange }) =>
    openSession(deps, user, body.persistent, exchange),
  );
  on('session.get', async ({ user, session }) => wireSession(deps, user, session));
  on('session.end', async ({ session, exchange }) => {
    await endSession(deps, session, exchange);
    return null;
  });
  on('session.end_all', async ({ user, session, exchange }) => {
    await deps.store.sessions.endAll(user.id);
    await endSession(deps, session, exchange);
    return null;
  });
}
