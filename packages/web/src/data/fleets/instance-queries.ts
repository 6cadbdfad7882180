import type { Client } from '@dstack/client';
import type { HealthCheck, Instance } from '@dstack/contract/wire';
import { queryOptions } from '@tanstack/react-query';
import type { ListScope } from './fleet-queries.ts';

export const instanceKeys = {
  all: ['instance'] as const,
  lists: ['instance', 'list'] as const,
  list: (scope: ListScope) => [...instanceKeys.lists, scope] as const,
  one: (project: string, id: string) => ['instance', 'one', project, id] as const,
  health: (id: string) => ['instance', 'health', id] as const,
};

/** The largest page of the server. */
const MOST = 1000;

/** Instances of all projects of the user, newest first; those of imported fleets too. */
export function instanceList(client: Client, scope: ListScope) {
  return queryOptions<readonly Instance[]>({
    queryKey: instanceKeys.list(scope),
    queryFn: () =>
      client.server.listInstances({
        project_names: scope.project === null ? null : [scope.project],
        // The server counts only `idle` and `busy` ones as active; those that start belong here too.
        only_active: false,
        include_imported: true,
        limit: MOST,
      }),
  });
}

export function instanceQuery(client: Client, project: string, id: string) {
  return queryOptions<Instance>({
    queryKey: instanceKeys.one(project, id),
    queryFn: () => client.project(project).instances.get(id),
  });
}

/** More checks than a page shows. */
const MOST_CHECKS = 50;

/** The latest checks of the hardware, newest first. */
export function healthCheckList(client: Client, instance: Instance) {
  const { id, project_name, fleet_name, instance_num } = instance;
  return queryOptions<readonly HealthCheck[]>({
    queryKey: instanceKeys.health(id),
    queryFn: () =>
      client
        .project(project_name)
        .instances.healthChecks(fleet_name ?? '', instance_num, MOST_CHECKS),
    enabled: fleet_name !== null,
  });
}
