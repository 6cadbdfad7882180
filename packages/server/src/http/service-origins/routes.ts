import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { issueCode } from './sign-in.ts';

export function serviceOriginRoutes(on: On, deps: HttpDeps): void {
  on('services.sign_in', ({ user, session, body }) => issueCode(deps, user, session, body));
}
