import type { Client } from '@dstack/client';
import type { OrphanReport, ServerStatus, ServerUsage } from '@dstack/contract/wire';
import { queryOptions } from '@tanstack/react-query';

/** For global admins. */
export function serverStatusQuery(client: Client) {
  return queryOptions<ServerStatus>({
    queryKey: ['server', 'status'],
    queryFn: () => client.server.status(),
  });
}

/** The sizes of stored data by kind. The server measures them at most once in five minutes. */
export function serverUsageQuery(client: Client) {
  return queryOptions<ServerUsage>({
    queryKey: ['server', 'usage'],
    queryFn: () => client.server.usage(),
  });
}

/** The leftovers that the sweeps of backends have found. */
export function orphansQuery(client: Client) {
  return queryOptions<OrphanReport>({
    queryKey: ['server', 'orphans'],
    queryFn: () => client.server.listOrphans(),
  });
}
