import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Id } from '@dstack/core';
import type { AgentClient } from '../hosts/agent-client.ts';
import type { OpenPort } from './replica-connections.ts';

export interface OpenReplicaOptions {
  readonly client: (hostId: string) => Pick<AgentClient, 'openPort'> | null;
  /** Whether the host is the server host. */
  readonly isHere: (hostId: string) => boolean;
}

/** Number of cached addresses; the oldest, such as those of ended jobs, are dropped. */
const MAX_KNOWN = 10_000;

/**
 * Connections to replicas over the links to their agents. On the server host the agent opens the
 * first one; the others go directly to the job's own address, which halves the number of hops.
 */
export function openReplica({ client, isHere }: OpenReplicaOptions): OpenPort {
  const known = new Map<Id, string>();
  return async ({ hostId, jobId, port }): Promise<Duplex> => {
    const address = known.get(jobId);
    if (address !== undefined) {
      const socket = await straight(address, port);
      if (socket) return socket;
      known.delete(jobId);
    }
    const agent = client(hostId);
    if (!agent) throw new Error(`no link to host ${hostId}`);
    const { stream, ownAddress } = await agent.openPort(jobId, port);
    if (ownAddress !== null && isHere(hostId)) known.set(jobId, ownAddress);
    if (known.size > MAX_KNOWN) known.clear();
    return stream;
  };
}

/** Null: the agent must report the reason. */
async function straight(host: string, port: number): Promise<Socket | null> {
  const socket = connect({ host, port, noDelay: true });
  try {
    await once(socket, 'connect');
    return socket;
  } catch {
    return null;
  }
}
