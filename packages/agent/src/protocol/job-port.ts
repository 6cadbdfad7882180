import type { Duplex } from 'node:stream';
import type { JobRegistry } from '../jobs/registry.ts';
import { join } from '../network/join.ts';
import { AgentError } from './agent-error.ts';

const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';

/**
 * `GET /v1/jobs/{id}/ports/{port}` with `Upgrade: tcp`: from the answer on, the connection is one to
 * that port of the job. Throws `AgentError`.
 */
export async function joinJobPort(
  registry: JobRegistry,
  target: { readonly id: string; readonly port: string },
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const port = Number(target.port);
  if (!/^\d+$/.test(target.port) || port < 1 || port > 65_535) {
    throw new AgentError(400, 'bad_request', `${target.port} is no port`);
  }
  const connection = await registry.dialPort(target.id, port);
  connection.on('error', () => connection.destroy());
  if (socket.destroyed) {
    connection.destroy();
    return;
  }
  socket.write(SWITCHED);
  if (head.length > 0) socket.unshift(head);
  join(socket, connection);
}
