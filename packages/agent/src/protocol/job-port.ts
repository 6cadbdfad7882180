import type { Duplex } from 'node:stream';
import { joinConnections } from '@dstack/ssh/join-connections';
import type { GatewayPrograms } from '../gateways/gateway-programs.ts';
import { AgentError } from '../jobs/agent-error.ts';
import type { JobRegistry } from '../jobs/registry.ts';
import { listenAddress } from '../network/listen-address.ts';

const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n';

/**
 * `GET /v1/jobs/{id}/ports/{port}` with `Upgrade: tcp`: after the answer, the connection leads to
 * that port of the job. The header `Dstack-Address` is the job's own loopback address on this host,
 * if it has one: programs on the host may connect there directly. Throws `AgentError`.
 */
export async function joinJobPort(
  registry: Pick<JobRegistry, 'dialPort'>,
  target: { readonly id: string; readonly port: string },
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const port = Number(target.port);
  if (!/^\d+$/.test(target.port) || port < 1 || port > 65_535) {
    throw new AgentError(400, 'bad_request', `${target.port} is not a port from 1 to 65535`);
  }
  const { stream, address } = await registry.dialPort(target.id, port);
  const isOwn = address === listenAddress(target.id);
  switchTo(stream, isOwn ? `Dstack-Address: ${address}\r\n` : '', socket, head);
}

/**
 * `GET /v1/jobs/{id}/ssh` with `Upgrade: tcp`: after the answer, the connection leads to the job's own
 * SSH server, which also exists after the job's end. Throws `AgentError`.
 */
export async function joinJobSsh(
  registry: Pick<JobRegistry, 'dialSsh'>,
  id: string,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  switchTo(await registry.dialSsh(id), '', socket, head);
}

/**
 * `GET /v1/jobs/{id}/tunnels/{tunnel}` with `Upgrade: tcp`: after the answer, the connection leads
 * to the process of the job that has connected to the server. Throws `AgentError`.
 */
export function joinTunnel(
  registry: Pick<JobRegistry, 'takeTunnel'>,
  target: { readonly id: string; readonly tunnel: string },
  socket: Duplex,
  head: Buffer,
): void {
  switchTo(registry.takeTunnel(target.id, target.tunnel), '', socket, head);
}

/**
 * `GET /v1/gateways/{id}/link` with `Upgrade: tcp`: after the answer, the connection leads to the program
 * of the gateway. Throws `AgentError`.
 */
export async function joinGateway(
  gateways: Pick<GatewayPrograms, 'dial'>,
  id: string,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  switchTo(await gateways.dial(id), '', socket, head);
}

/** Answers the request and joins both connections. `headers`: lines with their ends. */
function switchTo(stream: Duplex, headers: string, socket: Duplex, head: Buffer): void {
  stream.on('error', () => stream.destroy());
  if (socket.destroyed) {
    stream.destroy();
    return;
  }
  socket.write(`${SWITCHED}${headers}\r\n`);
  if (head.length > 0) socket.unshift(head);
  joinConnections(socket, stream);
}
