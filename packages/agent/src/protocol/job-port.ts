import type { Duplex } from 'node:stream';
import { AgentError } from '../jobs/agent-error.ts';
import type { JobRegistry } from '../jobs/registry.ts';
import { join } from '../network/join.ts';
import { listenAddress } from '../network/listen-address.ts';

const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n';

/**
 * `GET /v1/jobs/{id}/ports/{port}` with `Upgrade: tcp`: from the answer on, the connection is one to
 * that port of the job. `Dstack-Address` of the answer is the loopback address of this machine that
 * is the job's own, where there is one: whoever is on the machine may connect there without us.
 * Throws `AgentError`.
 */
export async function joinJobPort(
  registry: Pick<JobRegistry, 'dialPort'>,
  target: { readonly id: string; readonly port: string },
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const port = Number(target.port);
  if (!/^\d+$/.test(target.port) || port < 1 || port > 65_535) {
    throw new AgentError(400, 'bad_request', `${target.port} is no port`);
  }
  const { stream, address } = await registry.dialPort(target.id, port);
  stream.on('error', () => stream.destroy());
  if (socket.destroyed) {
    stream.destroy();
    return;
  }
  const isOwn = address === listenAddress(target.id);
  socket.write(`${SWITCHED}${isOwn ? `Dstack-Address: ${address}\r\n` : ''}\r\n`);
  if (head.length > 0) socket.unshift(head);
  join(socket, stream);
}

/**
 * `GET /v1/jobs/{id}/tunnels/{tunnel}` with `Upgrade: tcp`: from the answer on, the connection is the one
 * that a process of the job has opened to the server. Throws `AgentError`.
 */
export function joinTunnel(
  registry: Pick<JobRegistry, 'takeTunnel'>,
  target: { readonly id: string; readonly tunnel: string },
  socket: Duplex,
  head: Buffer,
): void {
  const stream = registry.takeTunnel(target.id, target.tunnel);
  if (socket.destroyed) {
    stream.destroy();
    return;
  }
  socket.write(`${SWITCHED}\r\n`);
  if (head.length > 0) socket.unshift(head);
  join(socket, stream);
}
