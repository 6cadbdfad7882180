import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { listQueue } from './service.ts';

export function queueRoutes(on: On, deps: HttpDeps): void {
  on('queue.list', (call) => listQueue(deps, call, call.body.limit));
}
