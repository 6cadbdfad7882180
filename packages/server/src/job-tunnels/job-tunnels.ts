import { Duplex } from 'node:stream';
import { isJobFinished } from '@dstack/contract/status';
import type { Id } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { AgentClient } from '../hosts/agent-client.ts';
import type { Logger } from '../process/logging.ts';
import { Pace } from './pace.ts';

export interface JobTunnelsOptions {
  readonly store: Pick<Store, 'jobs' | 'instances'>;
  readonly client: (hostId: string) => Pick<AgentClient, 'openTunnel'> | null;
  /** `DSTACK_FORBID_DSTACK_IN_RUNS`. */
  readonly forbidden: boolean;
  /** Milliseconds. */
  readonly now: () => number;
  readonly log: Logger;
}

/** Serves a connection like one that the server has accepted on its own port. */
export type Serve = (connection: Duplex) => void;

/** Open connections of one job (its agent has the same limit) and of all jobs. */
const MOST_OF_JOB = 32;
const MOST = 2000;

/** More than our own agents ever report. */
const CONNECTIONS = { burst: 100, perSecond: 40 };

/**
 * Connections of jobs to the API (`dstack: true`). The server fetches them from the agent that reports
 * them, and serves them like any other connection: the tokens of requests decide what is allowed.
 */
export class JobTunnels {
  readonly #options: JobTunnelsOptions;
  /** By host and job; null = one that is being fetched. */
  readonly #places = new Map<string, Set<{ connection: Duplex | null }>>();
  readonly #jobs = new WeakMap<object, Id>();
  readonly #pace: Pace;
  #serve: Serve | null = null;
  #count = 0;

  constructor(options: JobTunnelsOptions) {
    this.#options = options;
    this.#pace = new Pace(CONNECTIONS, options.now);
  }

  /** Starts to fetch connections. */
  open(serve: Serve): void {
    this.#serve = serve;
  }

  /** Ends all of them. */
  close(): void {
    this.#serve = null;
    for (const places of this.#places.values()) {
      for (const { connection } of places) connection?.destroy();
    }
  }

  /** The job that a connection comes from; null = it does not come from a job. */
  jobOf(connection: object): Id | null {
    return this.#jobs.get(connection) ?? null;
  }

  /** Returns at once. A refused connection stays at the agent, which closes it after its own limit. */
  fetch(hostId: string, jobId: Id, tunnel: string): void {
    this.#fetch(hostId, jobId, tunnel).catch((error) => {
      this.#options.log.debug({ job: jobId, err: error }, 'connection of a job not fetched');
    });
  }

  async #fetch(hostId: string, jobId: Id, tunnel: string): Promise<void> {
    // Hosts may report tunnels of other hosts' jobs; these must not use up the limits of the real
    // ones.
    const key = `${hostId} ${jobId}`;
    const places = this.#places.get(key) ?? new Set();
    if (this.#serve === null || places.size >= MOST_OF_JOB || this.#count >= MOST) return;
    if (this.#pace.wait(key) > 0) return;
    const place: { connection: Duplex | null } = { connection: null };
    this.#places.set(key, places.add(place));
    this.#count += 1;
    const free = () => {
      if (!places.delete(place)) return;
      this.#count -= 1;
      if (places.size === 0) this.#places.delete(key);
    };
    try {
      const client = (await this.#mayConnect(hostId, jobId)) ? this.#options.client(hostId) : null;
      const stream = await client?.openTunnel(jobId, tunnel);
      if (!stream) return free();
      place.connection = asConnection(stream, jobId).once('close', free);
      this.#jobs.set(place.connection, jobId);
      this.#serveConnection(place.connection);
    } catch (error) {
      free();
      throw error;
    }
  }

  #serveConnection(connection: Duplex): void {
    if (this.#serve === null) connection.destroy();
    else this.#serve(connection);
  }

  /** Only a job with `dstack: true` on the host that reports the connection. */
  async #mayConnect(hostId: string, jobId: Id): Promise<boolean> {
    const { store, forbidden } = this.#options;
    const view = forbidden ? null : await store.jobs.byId(jobId);
    if (!view || isJobFinished(view.job.status)) return false;
    if (!view.run.spec.configuration.dstack || view.job.instanceId === null) return false;
    return (await store.instances.byId(view.job.instanceId))?.instance.hostId === hostId;
  }
}

/**
 * A connection for Node's HTTP server. It wraps the stream, because the server reads a socket directly
 * and would miss the bytes in its buffer that arrived with the agent's response.
 */
function asConnection(stream: Duplex, jobId: Id): Duplex {
  const connection = Duplex.from({ readable: stream, writable: stream });
  connection.on('error', () => connection.destroy());
  connection.once('close', () => stream.destroy());
  return Object.defineProperty(connection, 'remoteAddress', { value: jobAddress(jobId) });
}

/**
 * The address by which limits count a job. It is in the network reserved for documentation, which no
 * operator trusts as that of a proxy.
 */
export function jobAddress(jobId: Id): string {
  const digits = jobId.replaceAll('-', '').slice(0, 24);
  return ['2001', 'db8', ...(digits.match(/.{4}/g) ?? [])].join(':');
}
