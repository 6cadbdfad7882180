import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { getGateway, listGateways } from './service.ts';

export function gatewayRoutes(on: On, deps: HttpDeps): void {
  on('gateways.list', ({ project, body }) => listGateways(deps, project, body.include_imported));
  on('gateways.get', ({ project, body, user, role }) =>
    getGateway(deps, project, body.name, { user, role }),
  );
}
