import type { ProjectClient } from '@dstack/client';
import { type Cli, type Connection, clientFor } from '../context.ts';

export type JobSockets = ProjectClient['jobs'];

/** Commands in running jobs, and connections to their ports. */
export async function openJobSockets({ address }: Connection, cli: Cli): Promise<JobSockets> {
  const { nodeWebSocket } = await import('./node-web-socket.ts');
  const client = await clientFor(address, cli.env, { webSocket: nodeWebSocket });
  return client.project(address.project).jobs;
}
