import type { Client } from '@dstack/client';
import type { Gateway } from '@dstack/contract/wire';
import { queryOptions } from '@tanstack/react-query';

export const gatewayKeys = {
  all: ['gateway'] as const,
  list: (projects: readonly string[]) => ['gateway', 'list', projects] as const,
  one: (project: string, name: string) => ['gateway', 'one', project, name] as const,
};

/** Gateways of these projects, imported ones too. The server lists them project by project. */
export function gatewayList(client: Client, projects: readonly string[]) {
  return queryOptions<readonly Gateway[]>({
    queryKey: gatewayKeys.list(projects),
    queryFn: async () => {
      const lists = await Promise.all(projects.map((name) => client.project(name).gateways.list()));
      const byId = new Map(lists.flat().map((gateway) => [gateway.id, gateway]));
      return [...byId.values()].sort((a, b) => b.created_at.localeCompare(a.created_at));
    },
  });
}

export function gatewayQuery(client: Client, project: string, name: string) {
  return queryOptions<Gateway>({
    queryKey: gatewayKeys.one(project, name),
    queryFn: () => client.project(project).gateways.get(name),
  });
}
