import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { overview } from './service.ts';

export function overviewRoutes(on: On, deps: HttpDeps): void {
  on('overview.get', ({ user, query }) => overview(deps, user, query.project_name));
}
