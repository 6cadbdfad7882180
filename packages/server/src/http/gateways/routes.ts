import type { On } from '../call.ts';
import { isOurClient } from '../our-client.ts';
import type { HttpDeps } from '../ports.ts';
import { applyGateway, createGateway } from './apply.ts';
import { deleteCertificate, setCertificate } from './certificates.ts';
import { gatewayLogs, renewCertificates } from './logs.ts';
import { planGateway } from './plan.ts';
import { getGateway, listGateways } from './service.ts';
import { deleteGateways, setDefaultGateway, setWildcardDomain } from './settings.ts';

export function gatewayRoutes(on: On, deps: HttpDeps): void {
  on('gateways.list', ({ project, body }) => listGateways(deps, project, body.include_imported));
  on('gateways.get', ({ project, body, user, role }) =>
    getGateway(deps, project, body.name, { user, role }),
  );
  on('gateways.get_plan', ({ project, user, ...call }) =>
    planGateway(deps, project, user, call.body.spec, { isOurs: isOurClient(call) }),
  );
  on('gateways.apply', ({ project, user, ...call }) =>
    applyGateway(deps, project, call.body, user, { isOurs: isOurClient(call) }),
  );
  on('gateways.create', ({ project, body, user }) =>
    createGateway(deps, project, body.configuration, user),
  );
  on('gateways.delete', async ({ project, body, user }) => {
    await deleteGateways(deps, project, body, user);
    return null;
  });
  on('gateways.set_default', async ({ project, body, user }) => {
    await setDefaultGateway(deps, project, body, user);
    return null;
  });
  on('gateways.set_wildcard_domain', ({ project, body, user }) =>
    setWildcardDomain(deps, project, body, user),
  );
  on('gateways.set_certificate', ({ project, body, user }) =>
    setCertificate(deps, project, body, user),
  );
  on('gateways.get_logs', ({ project, body }) => gatewayLogs(deps, project, body));
  on('gateways.renew_certificates', ({ project, body }) => renewCertificates(deps, project, body));
  on('gateways.delete_certificate', ({ project, body, user }) =>
    deleteCertificate(deps, project, body, user),
  );
}
