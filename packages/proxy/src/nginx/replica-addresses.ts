/** Where replicas on this host are reached without their agent, as nginx needs it. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { GatewayHost } from '@dstack/contract/agent';
import { AgentRefusal, AgentStreams } from '../replicas/agent-streams.ts';
import type { ReplicaTarget as Replica } from '../values.ts';
import type { PushedService } from '../worker/protocol.ts';

/** Null: it has no address of its own. Rejects if the agent or the app does not answer now. */
export type LearnAddress = (host: GatewayHost, replica: Replica) => Promise<string | null>;

export interface ReplicaAddressesOptions {
  readonly learn: LearnAddress;
  readonly onChange: () => void;
  /** A monotonic clock, in milliseconds. */
  readonly now: () => number;
}

/** Before an agent or an app that did not answer is asked again. */
const AGAIN_MS = 1000;
/** The same as in `openReplica`: a process of another job may listen at an address after the job's own. */
const CHECK_MS = 5000;

export class ReplicaAddresses {
  readonly #options: ReplicaAddressesOptions;
  readonly #hosts = new Map<string, GatewayHost>();
  readonly #known = new Map<string, string | null>();
  readonly #asking = new Set<string>();
  #wanted: ReadonlyMap<string, Replica> = new Map();
  #checkedAt: number;

  constructor(options: ReplicaAddressesOptions) {
    this.#options = options;
    this.#checkedAt = options.now();
  }

  setHosts(hosts: Readonly<Record<string, GatewayHost>>): void {
    this.#hosts.clear();
    for (const [id, host] of Object.entries(hosts)) this.#hosts.set(id, host);
  }

  /** Learns the addresses of these services' replicas, and forgets all others. */
  want(services: readonly PushedService[]): void {
    const replicas = services.flatMap(({ route }) => route.replicas);
    this.#wanted = new Map(replicas.map((one) => [one.jobId, one]));
    for (const jobId of this.#known.keys()) {
      if (!this.#wanted.has(jobId)) this.#known.delete(jobId);
    }
    for (const replica of replicas) void this.#ask(replica);
  }

  of(jobId: string): string | null {
    return this.#known.get(jobId) ?? null;
  }

  /** To be called often. Forgets addresses to which their agents no longer lead. */
  async check(): Promise<void> {
    const { now } = this.#options;
    if (now() - this.#checkedAt < CHECK_MS) return;
    // Until all were asked, no other check begins.
    this.#checkedAt = Number.POSITIVE_INFINITY;
    for (const [jobId, address] of [...this.#known]) {
      if (address === null || (await this.#isConfirmed(jobId, address))) continue;
      if (this.#known.get(jobId) !== address) continue;
      this.#known.delete(jobId);
      this.#options.onChange();
    }
    this.#checkedAt = now();
  }

  /** True also while the agent cannot be asked. */
  async #isConfirmed(jobId: string, address: string): Promise<boolean> {
    const replica = this.#wanted.get(jobId);
    const host = replica && this.#hosts.get(replica.hostId);
    if (!replica || !host) return true;
    try {
      return (await this.#options.learn(host, replica)) === address;
    } catch (error) {
      return !(error instanceof AgentRefusal);
    }
  }

  async #ask({ jobId }: Replica): Promise<void> {
    if (this.#known.has(jobId) || this.#asking.has(jobId)) return;
    this.#asking.add(jobId);
    for (;;) {
      // Its service may have changed meanwhile.
      const replica = this.#wanted.get(jobId);
      const host = replica && this.#hosts.get(replica.hostId);
      if (!replica || !host) break;
      try {
        const address = await this.#options.learn(host, replica);
        this.#known.set(jobId, address);
        this.#asking.delete(jobId);
        if (address !== null) this.#options.onChange();
        return;
      } catch {
        await new Promise((done) => setTimeout(done, AGAIN_MS).unref());
      }
    }
    this.#asking.delete(jobId);
  }
}

/** Finds the address in the same way as `openReplica` of the proxy. */
export const learnAddress: LearnAddress = async ({ socket, token }, { jobId, port }) => {
  const agent = new AgentStreams({ dial: () => connect(socket), token });
  const { stream, ownAddress } = await agent.openPort(jobId, port);
  stream.on('error', () => {});
  stream.destroy();
  if (ownAddress === null) return null;
  const direct = connect({ host: ownAddress, port });
  await once(direct, 'connect');
  direct.destroy();
  return ownAddress;
};
