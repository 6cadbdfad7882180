import type { Client } from '@dstack/client';
import type { Fleet, FleetJob } from '@dstack/contract/wire';
import { queryOptions } from '@tanstack/react-query';
import { allPages, LARGEST_PAGE } from '../all-pages.ts';

/** The first part of a key is the type of the changes that concern it. */
export const fleetKeys = {
  all: ['fleet'] as const,
  lists: ['fleet', 'list'] as const,
  list: (scope: ListScope) => [...fleetKeys.lists, scope] as const,
  one: (project: string, name: string) => ['fleet', 'one', project, name] as const,
  jobs: (project: string, name: string) => ['fleet', 'jobs', project, name] as const,
};

/** The part of a list's filters that the server applies. */
export interface ListScope {
  readonly project: string | null;
  /** Without what has ended. */
  readonly active: boolean;
}

/** Fleets of all projects of the user, newest first; imported ones too. */
export function fleetList(client: Client, scope: ListScope) {
  return queryOptions<readonly Fleet[]>({
    queryKey: fleetKeys.list(scope),
    queryFn: () =>
      allPages(
        (cursor) =>
          client.server.listFleets({
            project_name: scope.project,
            only_active: scope.active,
            include_imported: true,
            limit: LARGEST_PAGE,
            ...cursor,
          }),
        (fleet) => fleet.created_at,
      ),
  });
}

export function fleetQuery(client: Client, project: string, name: string) {
  return queryOptions<Fleet>({
    queryKey: fleetKeys.one(project, name),
    queryFn: () => client.project(project).fleets.get(isId(name) ? { id: name } : { name }),
  });
}

/** The jobs on the instances of a fleet. */
export function fleetJobs(client: Client, project: string, name: string) {
  return queryOptions<readonly FleetJob[]>({
    queryKey: fleetKeys.jobs(project, name),
    queryFn: () => client.project(project).fleets.listJobs(name),
  });
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Links from events have ids, as names may have been used again. */
export const isId = (text: string): boolean => UUID.test(text);
