import type { Connection } from 'ssh2';
import { NODE_SSH_PORT } from '../network/node-ssh-port.ts';
import { authenticate } from './authentication.ts';
import { AuthorizedKeys, RIGHTS } from './authorized-keys.ts';
import { type RunSession, serveSession } from './session.ts';
import { SshListener } from './ssh-listener.ts';

/** A job that the other nodes of its run may log into. */
export interface NodeJob {
  /** Public keys of the run's nodes, as in `authorized_keys`. */
  readonly keys: readonly string[];
  readonly exec: RunSession;
  /** Why a key cannot be used; never the key itself. */
  readonly onUnusableKey: (reason: string) => void;
}

export interface OpenNode {
  /** Ends what other nodes do in the job; nobody listens any more when it was the last one. */
  close(): Promise<void>;
}

/**
 * The door between the nodes of a run: one listener per internal address of this host, open while a
 * job of a multi-node run is. The key says which job is meant, for each submission of a replica has
 * a pair of its own; a key opens nothing but sessions in that job.
 */
export class NodeGateway {
  readonly #hostKeyPem: string;
  readonly #port: number;
  readonly #doors = new Map<string, Door>();
  /** Opening and closing take turns: a port that is being given up cannot be taken yet. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(hostKeyPem: string, port = NODE_SSH_PORT) {
    this.#hostKeyPem = hostKeyPem;
    this.#port = port;
  }

  /** Rejects with Node's own error when the address is not this host's or its port is taken. */
  open(address: string, job: NodeJob): Promise<OpenNode> {
    return this.#inTurn(async () => {
      const door = this.#doors.get(address) ?? new Door(this.#hostKeyPem);
      if (!this.#doors.has(address)) {
        await door.listener.listen(address, this.#port);
        this.#doors.set(address, door);
      }
      const room = door.add(job);
      return { close: () => this.#inTurn(() => this.#leave(address, door, room)) };
    });
  }

  async #leave(address: string, door: Door, room: Room): Promise<void> {
    if (!door.remove(room) || !door.empty) return;
    this.#doors.delete(address);
    await door.listener.close();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }
}

/** A job behind a door, with those who are in it. */
class Room {
  readonly job: NodeJob;
  readonly keys: AuthorizedKeys;
  readonly clients = new Set<Connection>();

  constructor(job: NodeJob) {
    this.job = job;
    const lines = { user: [], project: [], job: job.keys };
    this.keys = new AuthorizedKeys(lines, (_, reason) => job.onUnusableKey(reason));
  }
}

class Door {
  readonly listener: SshListener;
  readonly #rooms = new Set<Room>();

  constructor(hostKeyPem: string) {
    this.listener = new SshListener({
      hostKeyPem,
      serve: (client, { done }) =>
        authenticate(
          client,
          (blob) => this.#find(blob),
          ({ room }, login) => {
            done();
            welcome(client, room, login);
          },
        ),
    });
  }

  get empty(): boolean {
    return this.#rooms.size === 0;
  }

  add(job: NodeJob): Room {
    const room = new Room(job);
    this.#rooms.add(room);
    return room;
  }

  remove(room: Room): boolean {
    for (const client of room.clients) client.end();
    return this.#rooms.delete(room);
  }

  #find(blob: Buffer) {
    const found = [...this.#rooms].map((room) => ({ room, key: room.keys.find(blob)?.key }));
    for (const { room, key } of found) if (key) return { room, key };
    return null;
  }
}

function welcome(client: Connection, room: Room, login: string): void {
  const identity = { owner: 'job', login } as const;
  room.clients.add(client);
  client.once('close', () => room.clients.delete(client));
  if (!RIGHTS[identity.owner].sessions) return;
  client.on('session', (accept) => serveSession(accept(), client, identity, room.job.exec));
}
