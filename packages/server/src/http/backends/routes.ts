import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';

export function backendRoutes(on: On, deps: HttpDeps): void {
  on('backends.list_types', async () => [...deps.settings.backendTypes]);
}
