/**
 * Connections that agents of Slurm jobs have opened to this server. Each waits until the link to its
 * agent is made over it.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { agentToken, secured } from '@dstack/backends/slurm';
import { DIAL_OUT_PATH } from '@dstack/contract/agent';
import type { FastifyInstance } from 'fastify';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { isDialIn } from './dial-in-url.ts';

export interface DialInsOptions {
  /** The agents' tokens are derived from it. */
  readonly secret: () => Promise<string>;
  readonly limits?: Partial<DialInLimits>;
}

export interface DialInLimits {
  /** Connections whose agent has not proved yet that it has its token. */
  readonly strangers: number;
  /** Milliseconds until an unused connection is closed: the agent may reach another server. */
  readonly unusedMs: number;
  /** Connections that wait. */
  readonly waiting: number;
}

const LIMITS: DialInLimits = { strangers: 50, unusedMs: 15_000, waiting: 10_000 };

/** Bytes of a message: agents send records of TLS one by one. Strangers connect too, and use memory before the proof. */
const MAX_MESSAGE = 1024 * 1024;

/** Behind the path: the name of the job, and the number of the node in it. */
const AGENT = /^(dstack-[a-z0-9-]{1,57})\/(\d{1,5})$/;

interface Waiting {
  readonly stream: Duplex;
  readonly unused: NodeJS.Timeout;
}

export class DialIns {
  readonly #options: DialInsOptions;
  readonly #limits: DialInLimits;
  readonly #waiting = new Map<string, Waiting>();
  readonly #wanted = new Map<string, (stream: Duplex | null) => void>();
  #strangers = 0;

  constructor(options: DialInsOptions) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
  }

  /** Accepts connections of agents on the server's own port. */
  route(app: Pick<FastifyInstance, 'server'>): void {
    const server = new WebSocketServer({
      ...{ noServer: true, perMessageDeflate: false, maxPayload: MAX_MESSAGE },
    });
    app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (!isDialIn(request.url)) return;
      socket.on('error', () => socket.destroy());
      const [, name, rank] = AGENT.exec(request.url?.slice(DIAL_OUT_PATH.length) ?? '') ?? [];
      if (name === undefined || this.#strangers >= this.#limits.strangers) return socket.destroy();
      server.handleUpgrade(request, socket, head, (client) => {
        client.on('error', () => client.terminate());
        // The failed one is closed.
        this.#accept(keyOf(name, Number(rank)), name, createWebSocketStream(client)).catch(
          () => {},
        );
      });
    });
  }

  /** The connection of an agent, once there is one; null = none within the time. */
  async take(name: string, rank: number, limitMs: number): Promise<Duplex | null> {
    const key = keyOf(name, rank);
    const waiting = this.#waiting.get(key);
    if (waiting) {
      this.#forget(key, waiting);
      return waiting.stream;
    }
    return await new Promise((resolve) => {
      const limit = setTimeout(() => done(null), limitMs);
      const done = (stream: Duplex | null) => {
        clearTimeout(limit);
        if (this.#wanted.get(key) === done) this.#wanted.delete(key);
        resolve(stream);
      };
      this.#wanted.get(key)?.(null);
      this.#wanted.set(key, done);
    });
  }

  close(): void {
    for (const { stream, unused } of this.#waiting.values()) {
      clearTimeout(unused);
      stream.destroy();
    }
    this.#waiting.clear();
  }

  async #accept(key: string, name: string, connection: Duplex): Promise<void> {
    let stream: Duplex;
    this.#strangers++;
    try {
      stream = await secured(connection, agentToken(await this.#options.secret(), name));
    } finally {
      this.#strangers--;
    }
    const wanted = this.#wanted.get(key);
    if (wanted) return wanted(stream);
    if (this.#waiting.size >= this.#limits.waiting) return void stream.destroy();
    const before = this.#waiting.get(key);
    if (before) {
      this.#forget(key, before);
      before.stream.destroy();
    }
    const unused = setTimeout(() => stream.destroy(), this.#limits.unusedMs).unref();
    const waiting = { stream, unused };
    this.#waiting.set(key, waiting);
    stream.once('close', () => this.#forget(key, waiting));
  }

  #forget(key: string, waiting: Waiting): void {
    clearTimeout(waiting.unused);
    if (this.#waiting.get(key) === waiting) this.#waiting.delete(key);
  }
}

const keyOf = (name: string, rank: number): string => `${name}:${rank}`;
