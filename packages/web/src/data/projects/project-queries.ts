import type { Client } from '@dstack/client';
import type { Project } from '@dstack/contract/wire';
import { queryOptions } from '@tanstack/react-query';

export const projectKeys = {
  all: ['project'] as const,
  list: ['project', 'list'] as const,
  one: (name: string) => ['project', 'one', name] as const,
};

/** The projects that the user is a member of (all of them for global admins). */
export function projectList(client: Client) {
  return queryOptions<readonly Project[]>({
    queryKey: projectKeys.list,
    queryFn: () => client.projects.list({ include_not_joined: false }),
    staleTime: 30_000,
  });
}

/** A project with its members and backends. */
export function projectQuery(client: Client, name: string) {
  return queryOptions<Project>({
    queryKey: projectKeys.one(name),
    queryFn: () => client.projects.get(name),
  });
}

/** The parts of a project that are lists of their own; changes of the project concern all of them. */
export function projectPart<T>(name: string, part: string, read: () => Promise<T>) {
  return queryOptions<T>({ queryKey: ['project', part, name], queryFn: read });
}
