import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { pollLogs } from './service.ts';

export function logRoutes(on: On, deps: HttpDeps): void {
  on('logs.poll', ({ project, body, log }) => pollLogs(deps, project, body, log));
}
