import type { On } from '../call.ts';
import { isOurClient } from '../our-client.ts';
import type { HttpDeps } from '../ports.ts';
import { checkBackends } from './check.ts';
import {
  backendConfig,
  createBackend,
  deleteBackends,
  pathType,
  updateBackend,
} from './service.ts';
import { formatBackendYaml, parseBackendYaml } from './yaml.ts';

export function backendRoutes(on: On, deps: HttpDeps): void {
  on('backends.list_types', async () => [...deps.settings.backendTypes]);
  on('backends.check', ({ project }) => checkBackends(deps, project));
  on('backends.create', ({ project, user, body }) => createBackend(deps, project, body, user));
  on('backends.update', (call) =>
    updateBackend(deps, call.project, call.body, { user: call.user, isOurs: isOurClient(call) }),
  );
  on('backends.delete', async ({ project, user, body }) => {
    await deleteBackends(deps, project, body.backends_names, user);
    return null;
  });
  on('backends.config_info', ({ project, params }) =>
    backendConfig(deps, project, params.backend_name ?? ''),
  );
  on('backends.create_yaml', async ({ project, user, body }) => {
    await createBackend(deps, project, parseBackendYaml(body.config_yaml), user);
    return null;
  });
  on('backends.update_yaml', async (call) => {
    const given = parseBackendYaml(call.body.config_yaml);
    const caller = { user: call.user, isOurs: isOurClient(call) };
    await updateBackend(deps, call.project, given, caller);
    return null;
  });
  on('backends.get_yaml', async ({ project, params }) => {
    const name = params.backend_name ?? '';
    const config = await backendConfig(deps, project, name);
    return { name: pathType(name), config_yaml: formatBackendYaml(config) };
  });
}
