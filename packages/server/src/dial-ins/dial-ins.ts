/**
 * Connections that agents have opened to this server. Each waits until the link to its agent is made
 * over it.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { agentToken, type DialInNames, secured } from '@dstack/backends';
import { networkOf } from '@dstack/proxy';
import type { FastifyInstance } from 'fastify';
import { createWebSocketStream, WebSocketServer } from 'ws';
import type { CallerAddress } from '../callers/caller-address.ts';
import { StrangerLimit, type StrangerLimits } from '../peers/stranger-limit.ts';
import { type DialledAgent, dialledAgent, isDialIn } from './dial-in-url.ts';

export interface DialInsOptions {
  /** For names of instances of each backend whose agents connect to the server. */
  readonly kinds: readonly DialInNames[];
  /** The secret of the installation, from which `agentToken` derives the token of each instance. */
  readonly secret: () => Promise<string>;
  readonly addressOf: CallerAddress;
  readonly limits?: Partial<DialInLimits>;
}

export interface DialInLimits {
  /** Connections whose agent has not proved yet that it has its token. */
  readonly strangers: StrangerLimits;
  /** Milliseconds until an unused connection is closed: the agent may reach another server. */
  readonly unusedMs: number;
  /** Connections that wait. */
  readonly waiting: number;
}

const LIMITS: DialInLimits = {
  // The proof takes two round trips. The agents of a cluster may share one address.
  strangers: { perNetwork: 100, total: 1000, graceMs: 3000 },
  unusedMs: 15_000,
  waiting: 10_000,
};

/** Bytes of a message: agents send records of TLS one by one. Strangers connect too, and use memory before the proof. */
const MAX_MESSAGE = 1024 * 1024;

interface Waiting {
  readonly stream: Duplex;
  readonly unused: NodeJS.Timeout;
}

export class DialIns {
  readonly #options: DialInsOptions;
  readonly #limits: DialInLimits;
  readonly #strangers: StrangerLimit;
  readonly #waiting = new Map<string, Waiting>();
  readonly #wanted = new Map<string, (stream: Duplex | null) => void>();
  readonly #watchers = new Set<(instance: string) => void>();

  constructor(options: DialInsOptions) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    this.#strangers = new StrangerLimit(this.#limits.strangers, () => performance.now());
  }

  /** Accepts connections of agents on the server's own port. */
  route(app: Pick<FastifyInstance, 'server'>): void {
    const server = new WebSocketServer({
      ...{ noServer: true, perMessageDeflate: false, maxPayload: MAX_MESSAGE },
    });
    app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (!isDialIn(request.url)) return;
      socket.on('error', () => socket.destroy());
      const agent = dialledAgent(request.url);
      if (agent === null || !this.#options.kinds.some((isOurs) => isOurs(agent.instance))) {
        return socket.destroy();
      }
      const network = networkOf(this.#options.addressOf(request));
      const leave = this.#strangers.enter(network, () => socket.destroy());
      if (leave === null) return socket.destroy();
      socket.once('close', leave);
      server.handleUpgrade(request, socket, head, (client) => {
        client.on('error', () => client.terminate());
        // The failed one is closed.
        this.#accept(agent, createWebSocketStream(client), leave).catch(() => {});
      });
    });
  }

  /** The connection of an agent, once there is one; null = none within the time. */
  async take(instance: string, limitMs: number): Promise<Duplex | null> {
    const waiting = this.#waiting.get(instance);
    if (waiting) {
      this.#forget(instance, waiting);
      return waiting.stream;
    }
    return await new Promise((resolve) => {
      const limit = setTimeout(() => done(null), limitMs);
      const done = (stream: Duplex | null) => {
        clearTimeout(limit);
        if (this.#wanted.get(instance) === done) this.#wanted.delete(instance);
        resolve(stream);
      };
      this.#wanted.get(instance)?.(null);
      this.#wanted.set(instance, done);
    });
  }

  /** Calls `onWaiting` with each instance whose connection waits from now on. */
  watch(onWaiting: (instance: string) => void): () => void {
    this.#watchers.add(onWaiting);
    return () => void this.#watchers.delete(onWaiting);
  }

  close(): void {
    for (const { stream, unused } of this.#waiting.values()) {
      clearTimeout(unused);
      stream.destroy();
    }
    this.#waiting.clear();
  }

  async #accept(
    { instance, tokenOf }: DialledAgent,
    connection: Duplex,
    proved: () => void,
  ): Promise<void> {
    const token = agentToken(await this.#options.secret(), tokenOf);
    const stream = await secured(connection, token);
    proved();
    const wanted = this.#wanted.get(instance);
    if (wanted) return wanted(stream);
    if (this.#waiting.size >= this.#limits.waiting) return void stream.destroy();
    const before = this.#waiting.get(instance);
    if (before) {
      this.#forget(instance, before);
      before.stream.destroy();
    }
    const unused = setTimeout(() => stream.destroy(), this.#limits.unusedMs).unref();
    const waiting = { stream, unused };
    this.#waiting.set(instance, waiting);
    stream.once('close', () => this.#forget(instance, waiting));
    for (const onWaiting of this.#watchers) onWaiting(instance);
  }

  #forget(instance: string, waiting: Waiting): void {
    clearTimeout(waiting.unused);
    if (this.#waiting.get(instance) === waiting) this.#waiting.delete(instance);
  }
}
