import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { costReport } from './service.ts';

export function costRoutes(on: On, deps: HttpDeps): void {
  on('cost.get', ({ user, query }) => costReport(deps, user, query));
}
