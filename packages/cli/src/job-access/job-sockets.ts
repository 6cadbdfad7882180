import type { ProjectClient } from '@dstack/client';
import { type Cli, type Connection, clientFor } from '../context.ts';

export type JobSockets = ProjectClient['jobs'];

/** Commands in running jobs, and connections to their ports. */
export async function openJobSockets(connection: Connection, cli: Cli): Promise<JobSockets> {
  return (await withJobSockets(connection, cli)).project.jobs;
}

/** The same connection, whose commands and ports report why the server refuses them. */
export async function withJobSockets({ address }: Connection, cli: Cli): Promise<Connection> {
  const { nodeWebSocket } = await import('@dstack/client/node-web-socket');
  const client = await clientFor(address, cli.env, { webSocket: nodeWebSocket });
  return { address, client, project: client.project(address.project) };
}
