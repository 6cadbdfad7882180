import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { ReplicaTarget } from '../values.ts';
import { AgentRefusal, type AgentStreams } from './agent-streams.ts';
import type { OpenPort } from './replica-pool.ts';

export interface OpenReplicaOptions {
  readonly client: (hostId: string) => Pick<AgentStreams, 'openPort'> | null;
  /** Whether the host is the server host. */
  readonly isHere: (hostId: string) => boolean;
  /** A monotonic clock, in milliseconds. */
  readonly now?: () => number;
}

interface Known {
  readonly address: string;
  /** When the agent was asked last. */
  askedAt: number;
}

/** Number of cached addresses; the oldest, such as those of ended jobs, are dropped. */
const MAX_KNOWN = 10_000;
/** Other connections wait so long for the first one, in milliseconds; its agent may not answer. */
const LEARN_MS = 500;
/** So long an address counts, in milliseconds: another process of the host may listen there after the job's. */
const CHECK_MS = 5000;

/**
 * Connections to replicas over the links to their agents. On the server host the agent reports the job's own
 * address with the first one; then all of them go directly there, which halves the number of hops. The agent refuses
 * an address at which another job's process listens, so it is asked again from time to time.
 */
export function openReplica({ client, isHere, now = monotonic }: OpenReplicaOptions): OpenPort {
  const known = new Map<string, Known>();
  /** By job whose agent is being asked: resolves when that is over, or takes too long. */
  const asking = new Map<string, Promise<unknown>>();

  const throughAgent = async ({ hostId, jobId, port }: ReplicaTarget): Promise<Duplex> => {
    const agent = client(hostId);
    if (!agent) throw new Error(`no link to host ${hostId}`);
    const { stream, ownAddress } = await agent.openPort(jobId, port);
    const socket = ownAddress !== null && isHere(hostId) ? await straight(ownAddress, port) : null;
    if (ownAddress === null || socket === null) return stream;
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(jobId, { address: ownAddress, askedAt: now() });
    stream.destroy();
    return socket;
  };

  /** Forgets the address if the agent no longer leads there. It stays while the agent cannot be asked. */
  const check = async ({ hostId, jobId, port }: ReplicaTarget, { address }: Known) => {
    try {
      const answer = await client(hostId)?.openPort(jobId, port);
      answer?.stream.destroy();
      if (answer && answer.ownAddress !== address) known.delete(jobId);
    } catch (error) {
      if (error instanceof AgentRefusal) known.delete(jobId);
    }
  };

  const othersAwait = (jobId: string, asked: Promise<unknown>): void => {
    if (asking.has(jobId)) return;
    const limit = delay(LEARN_MS, undefined, { ref: false });
    const over = Promise.race([asked.catch(() => {}), limit]);
    asking.set(
      jobId,
      over.then(() => void asking.delete(jobId)),
    );
  };

  return async (replica): Promise<Duplex> => {
    const { hostId, jobId, port } = replica;
    const own = known.get(jobId);
    if (own && now() - own.askedAt >= CHECK_MS) {
      own.askedAt = now();
      othersAwait(jobId, check(replica, own));
    }
    const asked = asking.get(jobId);
    // Without one, nothing may be awaited: others would begin to ask meanwhile.
    if (asked && isHere(hostId)) await asked;
    const address = known.get(jobId)?.address;
    const socket = address === undefined ? null : await straight(address, port);
    if (socket) return socket;
    known.delete(jobId);
    const opened = throughAgent(replica);
    othersAwait(jobId, opened);
    return await opened;
  };
}

const monotonic = () => performance.now();

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
