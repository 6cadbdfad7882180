import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { listGpus } from './service.ts';

export function gpuRoutes(on: On, deps: HttpDeps): void {
  on('gpus.list', ({ project, user, body }) => listGpus(deps, project, user, body));
}
