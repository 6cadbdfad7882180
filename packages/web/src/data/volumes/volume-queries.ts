import type { Client } from '@dstack/client';
import type { Volume } from '@dstack/contract/wire';
import { queryOptions } from '@tanstack/react-query';
import { allPages, LARGEST_PAGE } from '../all-pages.ts';
import type { ListScope } from '../fleets/fleet-queries.ts';

export const volumeKeys = {
  all: ['volume'] as const,
  list: (scope: ListScope) => ['volume', 'list', scope] as const,
  one: (project: string, name: string) => ['volume', 'one', project, name] as const,
};

/** Volumes of all projects of the user, newest first. */
export function volumeList(client: Client, scope: ListScope) {
  return queryOptions<readonly Volume[]>({
    queryKey: volumeKeys.list(scope),
    queryFn: () =>
      allPages(
        (cursor) =>
          client.server.listVolumes({
            project_name: scope.project,
            only_active: scope.active,
            limit: LARGEST_PAGE,
            ...cursor,
          }),
        (volume) => volume.created_at,
      ),
  });
}

export function volumeQuery(client: Client, project: string, name: string) {
  return queryOptions<Volume>({
    queryKey: volumeKeys.one(project, name),
    queryFn: () => client.project(project).volumes.get(name),
  });
}
