import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { listOrphans } from './service.ts';

export function orphanRoutes(on: On, deps: HttpDeps): void {
  on('server.list_orphans', () => listOrphans(deps));
}
