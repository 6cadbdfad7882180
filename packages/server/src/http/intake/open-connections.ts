/** Bounds the connections that strangers keep open without a request under way. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { networkOf } from '@dstack/proxy';
import type { FastifyInstance } from 'fastify';
import { StrangerLimit, type StrangerLimits } from '../../peers/stranger-limit.ts';

export interface ConnectionRules {
  /** Connections whose first request has not arrived completely. */
  readonly heads: StrangerLimits;
  /** Connections that wait for another request, of callers that have not signed in on them. */
  readonly idle: StrangerLimits;
  /** Proxies hold connections for many clients, and bound those of each client themselves. */
  readonly isProxy: (address: string) => boolean;
}

/** A head arrives within a second; browsers and load balancers open some connections ahead. */
const HEADS: StrangerLimits = { perNetwork: 500, total: 2000, graceMs: 5000 };

export interface ConnectionRuleOptions {
  /** Most connections that wait for another request. One network holds half of them at most. */
  readonly idle: number;
  /** How many files the process may open, each connection being one. */
  readonly files: number;
  readonly isProxy: (address: string) => boolean;
}

/** Strangers hold at most half of the files, so that the server keeps enough for hosts and for callers that it knows. */
export function connectionRules({ idle, files, isProxy }: ConnectionRuleOptions): ConnectionRules {
  const share = Math.max(Math.floor(files / 4), 2);
  const half = (most: number) => Math.ceil(most / 2);
  const [total, waiting] = [Math.min(HEADS.total, share), Math.min(idle, share)];
  return {
    heads: { ...HEADS, total, perNetwork: Math.min(HEADS.perNetwork, half(total)) },
    idle: { ...HEADS, total: waiting, perNetwork: half(waiting) },
    isProxy,
  };
}

/** On which a caller has signed in. */
const known = new WeakSet<Socket>();

/** Records that a caller has signed in on this connection. */
export function knowConnection(socket: Socket): void {
  known.add(socket);
}

interface Waits {
  readonly network: string;
  /** Ends the wait. */
  leave: () => void;
  /** Requests under way: clients may send the next one before the response. */
  requests: number;
}

export class OpenConnections {
  readonly #heads: StrangerLimit;
  readonly #idle: StrangerLimit;
  readonly #isProxy: ConnectionRules['isProxy'];
  readonly #waits = new WeakMap<Socket, Waits>();

  constructor({ heads, idle, isProxy }: ConnectionRules) {
    const now = () => performance.now();
    this.#heads = new StrangerLimit(heads, now);
    this.#idle = new StrangerLimit(idle, now);
    this.#isProxy = isProxy;
  }

  watch({ server }: Pick<FastifyInstance, 'server'>): void {
    server.on('connection', (socket: Socket) => this.#opened(socket));
    for (const event of ['request', 'checkContinue']) {
      server.prependListener(event, (request: IncomingMessage, response: ServerResponse) => {
        this.#began(request.socket);
        response.once('close', () => this.#ended(request.socket));
      });
    }
  }

  /** The connection no longer carries requests; the new protocol has limits of its own. */
  upgraded({ socket }: IncomingMessage): void {
    this.#began(socket);
  }

  #opened(socket: Socket): void {
    const { remoteAddress: address } = socket;
    // Those of tunnels have no address, and limits of their own.
    if (address === undefined || this.#isProxy(address)) return;
    const network = networkOf(address);
    const leave = this.#heads.enter(network, () => socket.destroy());
    if (leave === null) return void socket.destroy();
    const waits: Waits = { network, leave, requests: 0 };
    this.#waits.set(socket, waits);
    socket.once('close', () => waits.leave());
  }

  #began(socket: Socket): void {
    const waits = this.#waits.get(socket);
    if (!waits) return;
    waits.requests++;
    waits.leave();
  }

  #ended(socket: Socket): void {
    const waits = this.#waits.get(socket);
    if (!waits || --waits.requests > 0 || socket.destroyed || known.has(socket)) return;
    const leave = this.#idle.enter(waits.network, () => socket.destroy());
    if (leave === null) socket.destroy();
    else waits.leave = leave;
  }
}
