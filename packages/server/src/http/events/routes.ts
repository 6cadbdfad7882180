import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { listEvents } from './service.ts';

export function eventRoutes(on: On, deps: HttpDeps): void {
  on('events.list', ({ user, body }) => listEvents(deps, user, body));
}
