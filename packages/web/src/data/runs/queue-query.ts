import type { Client } from '@dstack/client';
import type { RunQueue } from '@dstack/contract/wire';
import { queryOptions } from '@tanstack/react-query';

/** More runs are counted, not listed. */
const MOST = 500;

/**
 * The queue that the runs of a project are in. The runs of others change it too, of which no change is reported to
 * those who may not see them.
 */
export function queueQuery(client: Client, project: string) {
  return queryOptions<RunQueue>({
    queryKey: ['run', 'queue', project],
    queryFn: () => client.project(project).queue(MOST),
    meta: { refreshed: 'regularly' },
  });
}
