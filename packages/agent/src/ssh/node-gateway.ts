import { authenticate, SshListener } from '@dstack/ssh';
import type { Connection } from 'ssh2';
import { NODE_SSH_PORT } from '../network/node-ssh-port.ts';
import { AuthorizedKeys, RIGHTS } from './authorized-keys.ts';
import { type RunSession, serveSession } from './session.ts';

/** A job that the other nodes of its run may log into. */
export interface NodeJob {
  /** Public keys of the run's nodes, as in `authorized_keys`. */
  readonly keys: readonly string[];
  readonly exec: RunSession;
  /** Called with the reason for each unusable key, without the key itself. */
  readonly onUnusableKey: (reason: string) => void;
}

export interface OpenNode {
  /** Ends the connections of other nodes to the job. The listener closes with the last job. */
  close(): Promise<void>;
}

/**
 * The access between the nodes of a run: one listener per internal address of this host, open as
 * long as a job of a multi-node run. The key identifies the job, since each submission of a replica
 * has its own pair. A key permits only sessions in that job.
 */
export class NodeGateway {
  readonly #hostKeyPem: string;
  readonly #port: number;
  readonly #listeners = new Map<string, NodeListener>();
  /** Opening and closing are serialised: a port that is being closed cannot be opened yet. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(hostKeyPem: string, port = NODE_SSH_PORT) {
    this.#hostKeyPem = hostKeyPem;
    this.#port = port;
  }

  /** Rejects with Node's own error if the address is not this host's or its port is taken. */
  open(address: string, job: NodeJob): Promise<OpenNode> {
    return this.#inTurn(async () => {
      const nodeListener = this.#listeners.get(address) ?? new NodeListener(this.#hostKeyPem);
      if (!this.#listeners.has(address)) {
        await nodeListener.listener.listen(address, this.#port);
        this.#listeners.set(address, nodeListener);
      }
      const entry = nodeListener.add(job);
      return { close: () => this.#inTurn(() => this.#leave(address, nodeListener, entry)) };
    });
  }

  async #leave(address: string, nodeListener: NodeListener, entry: NodeEntry): Promise<void> {
    if (!nodeListener.remove(entry) || !nodeListener.empty) return;
    this.#listeners.delete(address);
    await nodeListener.listener.close();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }
}

/** A job at a listener, with its open connections. */
class NodeEntry {
  readonly job: NodeJob;
  readonly keys: AuthorizedKeys;
  readonly clients = new Set<Connection>();

  constructor(job: NodeJob) {
    this.job = job;
    const lines = { user: [], project: [], job: job.keys };
    this.keys = new AuthorizedKeys(lines, (_, reason) => job.onUnusableKey(reason));
  }
}

class NodeListener {
  readonly listener: SshListener;
  readonly #entries = new Set<NodeEntry>();

  constructor(hostKeyPem: string) {
    this.listener = new SshListener({
      hostKeyPem,
      serve: (client, { done }) =>
        authenticate(
          client,
          (blob) => this.#find(blob),
          ({ entry }, login) => {
            done();
            admit(client, entry, login);
          },
        ),
    });
  }

  get empty(): boolean {
    return this.#entries.size === 0;
  }

  add(job: NodeJob): NodeEntry {
    const entry = new NodeEntry(job);
    this.#entries.add(entry);
    return entry;
  }

  remove(entry: NodeEntry): boolean {
    for (const client of entry.clients) client.end();
    return this.#entries.delete(entry);
  }

  #find(blob: Buffer) {
    const found = [...this.#entries].map((entry) => ({ entry, key: entry.keys.find(blob)?.key }));
    for (const { entry, key } of found) if (key) return { entry, key };
    return null;
  }
}

function admit(client: Connection, entry: NodeEntry, login: string): void {
  const identity = { owner: 'job', login } as const;
  entry.clients.add(client);
  client.once('close', () => entry.clients.delete(client));
  if (!RIGHTS[identity.owner].sessions) return;
  client.on('session', (accept) => serveSession(accept(), client, identity, entry.job.exec));
}
