import type { Client } from '@dstack/client';
import type { Overview } from '@dstack/contract/wire';
import { queryOptions } from '@tanstack/react-query';

export const overviewKey = ['overview'] as const;

/** Sums and failures of one project, or of all of the user. */
export function overviewQuery(client: Client, project: string | null) {
  return queryOptions<Overview>({
    queryKey: [...overviewKey, project],
    queryFn: () => client.server.overview(project ?? undefined),
  });
}
