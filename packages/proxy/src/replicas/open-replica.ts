import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { ReplicaTarget } from '../values.ts';
import type { AgentStreams } from './agent-streams.ts';
import type { OpenPort } from './replica-connections.ts';

export interface OpenReplicaOptions {
  readonly client: (hostId: string) => Pick<AgentStreams, 'openPort'> | null;
  /** Whether the host is the server host. */
  readonly isHere: (hostId: string) => boolean;
}

/** Number of cached addresses; the oldest, such as those of ended jobs, are dropped. */
const MAX_KNOWN = 10_000;
/** Other connections wait so long for the first one, in milliseconds; its agent may not answer. */
const LEARN_MS = 500;

/**
 * Connections to replicas over the links to their agents. On the server host the agent reports the job's own
 * address with the first one; then all of them go directly there, which halves the number of hops.
 */
export function openReplica({ client, isHere }: OpenReplicaOptions): OpenPort {
  const known = new Map<string, string>();
  /** By job whose first connection is being opened: resolves when that is over, or takes too long. */
  const learning = new Map<string, Promise<unknown>>();

  const throughAgent = async ({ hostId, jobId, port }: ReplicaTarget): Promise<Duplex> => {
    const agent = client(hostId);
    if (!agent) throw new Error(`no link to host ${hostId}`);
    const { stream, ownAddress } = await agent.openPort(jobId, port);
    const socket = ownAddress !== null && isHere(hostId) ? await straight(ownAddress, port) : null;
    if (ownAddress === null || socket === null) return stream;
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(jobId, ownAddress);
    stream.destroy();
    return socket;
  };

  return async (replica): Promise<Duplex> => {
    const { hostId, jobId, port } = replica;
    const first = learning.get(jobId);
    if (first && isHere(hostId)) await first;
    const address = known.get(jobId);
    const socket = address === undefined ? null : await straight(address, port);
    if (socket) return socket;
    known.delete(jobId);
    const opened = throughAgent(replica);
    if (!learning.has(jobId)) {
      const over = Promise.race([
        opened.catch(() => {}),
        delay(LEARN_MS, undefined, { ref: false }),
      ]);
      learning.set(
        jobId,
        over.then(() => void learning.delete(jobId)),
      );
    }
    return await opened;
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
