import type { Client } from '@dstack/client';
import type { OrphanReport, ServerStatus } from '@dstack/contract/wire';
import { queryOptions } from '@tanstack/react-query';

/** For global admins. */
export function serverStatusQuery(client: Client) {
  return queryOptions<ServerStatus>({
    queryKey: ['server', 'status'],
    queryFn: () => client.server.status(),
  });
}

/** What the sweeps of backends have found. */
export function orphansQuery(client: Client) {
  return queryOptions<OrphanReport>({
    queryKey: ['server', 'orphans'],
    queryFn: () => client.server.listOrphans(),
  });
}
