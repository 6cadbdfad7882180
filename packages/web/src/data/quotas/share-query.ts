import type { Client } from '@dstack/client';
import type { Share } from '@dstack/contract/wire';
import { queryOptions } from '@tanstack/react-query';

/** Usage of this project, of those that share capacity with it, and of their users; empty: there are no shares. */
export function shareList(client: Client, project: string) {
  return queryOptions<readonly Share[]>({
    queryKey: ['share', 'list', project],
    queryFn: () => client.project(project).shares(),
    // It changes as time passes.
    meta: { refreshed: 'regularly' },
  });
}
