import type { Client } from '@dstack/client';
import type { Quota } from '@dstack/contract/wire';
import { queryOptions } from '@tanstack/react-query';

export const quotaKeys = {
  all: ['quota'] as const,
  list: (project: string | null) => [...quotaKeys.all, 'list', project] as const,
};

/** The quotas that the user may see, with what is used of them; null: of all projects. */
export function quotaList(client: Client, project: string | null) {
  return queryOptions<readonly Quota[]>({
    queryKey: quotaKeys.list(project),
    queryFn: () => client.quotas.list(project),
    // Jobs of others count too, of which no change is reported.
    meta: { refreshed: 'regularly' },
  });
}
