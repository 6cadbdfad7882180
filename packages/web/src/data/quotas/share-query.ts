import type { Client } from '@dstack/client';
import type { Share } from '@dstack/contract/wire';
import { queryOptions } from '@tanstack/react-query';

/** What the projects that share capacity with this one, and their users, have used of it; empty: there are no shares. */
export function shareList(client: Client, project: string) {
  return queryOptions<readonly Share[]>({
    queryKey: ['share', 'list', project],
    queryFn: () => client.project(project).shares(),
    // It changes as time passes.
    meta: { refreshed: 'regularly' },
  });
}
