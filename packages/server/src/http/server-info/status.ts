import { formatTimestamp, type ServerStatus, WIRE_VERSION } from '@dstack/contract/wire';
import { placeOfLogs } from '../../logs/open-logs.ts';
import { PRODUCT_VERSION } from '../../process/version.ts';
import type { HttpDeps } from '../ports.ts';

/** For admins of the server. */
export async function serverStatus({
  store,
  context,
  queues,
  loopsAreRunning,
  clockLead,
  files,
  serviceEngine,
}: HttpDeps): Promise<ServerStatus> {
  const hosts = await store.hosts.list();
  const { open, limit } = files;
  const upMicros = Math.round(process.uptime() * 1_000_000);
  return {
    server_version: WIRE_VERSION,
    version: PRODUCT_VERSION,
    started_at: formatTimestamp(context().now - upMicros),
    database: store.shared ? 'postgresql' : 'sqlite',
    log_store: placeOfLogs(store),
    loops_are_running: loopsAreRunning(),
    queues: Object.entries(queues() ?? {}).map(([kind, depth]) => ({ kind, ...depth })),
    hosts: hosts.length,
    connected_hosts: hosts.filter(({ connected }) => connected).length,
    clock_lead_seconds: clockLead(),
    ...(open > 0 && Number.isFinite(limit) ? { open_files: open, open_files_limit: limit } : {}),
    service_engine: serviceEngine(),
    memory_bytes: process.memoryUsage.rss(),
  };
}
