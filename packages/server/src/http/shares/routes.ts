import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { listShares } from './service.ts';

export function shareRoutes(on: On, deps: HttpDeps): void {
  on('shares.list', (call) => listShares(deps, call));
}
