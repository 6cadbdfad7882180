import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { upstreamOf } from './service.ts';

export function sshProxyRoutes(on: On, deps: HttpDeps): void {
  on('sshproxy.get_upstream', ({ body }) => upstreamOf(deps, body.id));
}
