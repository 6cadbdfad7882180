import { setTimeout as delay } from 'node:timers/promises';
import {
  type GatewayCommand,
  type GatewayFrame,
  MAX_GATEWAY_LINE,
  parseGatewayFrame,
} from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import type { GatewayReplicaRecord, GatewayReport } from '@dstack/core';
import type { AgentClient } from '../hosts/agent-client.ts';
import { LineStream } from '../line-stream.ts';
import type { Logger } from '../logging.ts';

/** What its program or its machine reports of a replica. */
export type Reported = Omit<GatewayReport, 'replicaId' | 'updatedAt' | 'outdated'>;

/** The machine of a replica. `text` is for people. */
export type GatewayHostState =
  | { readonly state: 'ready' }
  /** `refused`: until a person changes something. */
  | { readonly state: 'pending' | 'refused' | 'missing'; readonly text: string };

export interface GatewayLinkOptions {
  readonly replica: GatewayReplicaRecord;
  readonly label: { readonly name: string; readonly project: string };
  /** Null: this server has no link to the host now. */
  readonly client: () => AgentClient | null;
  /** Whether another server of this database is linked to the host. */
  readonly isElsewhere: () => Promise<boolean>;
  readonly observe: () => Promise<GatewayHostState>;
  /** Sends settings and services over a new connection. */
  readonly onOpen: (link: GatewayLink) => Promise<void>;
  readonly onFrame: (link: GatewayLink, frame: GatewayFrame) => void;
  readonly report: (reported: Reported) => void;
  readonly log: Logger;
}

const STATES = {
  ready: 'waiting',
  pending: 'waiting',
  refused: 'refused',
  missing: 'lost',
} as const satisfies Record<GatewayHostState['state'], Reported['state']>;

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5000;

/** The connection to the program of one gateway replica; it is opened again until `close`. */
export class GatewayLink {
  readonly #options: GatewayLinkOptions;
  #channel: LineStream | null = null;
  #closed = false;
  #wake: (() => void) | null = null;

  constructor(options: GatewayLinkOptions) {
    this.#options = options;
    void this.#keep();
  }

  get isOpen(): boolean {
    return this.#channel !== null;
  }

  get replica(): GatewayReplicaRecord {
    return this.#options.replica;
  }

  send(order: GatewayCommand): void {
    this.#channel?.send(order);
  }

  /** Tries again at once: the host has connected. */
  retry(): void {
    this.#wake?.();
  }

  /** A connection for a request that the program has announced. */
  async openTunnel(id: string) {
    const client = this.#options.client();
    if (client === null) throw new Error('the host is not connected');
    const stream = await client.openGateway(this.replica.id);
    stream.write(`${JSON.stringify({ type: 'tunnel', id })}\n`);
    return stream;
  }

  close(): void {
    this.#closed = true;
    this.#channel?.close();
    this.#wake?.();
  }

  async #keep(): Promise<void> {
    for (let wait = FIRST_WAIT_MS; !this.#closed; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
      const began = Date.now();
      try {
        await this.#connect();
      } catch (error) {
        await this.#failed(error).catch((failure) => {
          this.#options.log.warn({ err: failure }, 'the state of a gateway was not stored');
        });
      }
      if (Date.now() - began > LONGEST_WAIT_MS) wait = FIRST_WAIT_MS;
      if (!this.#closed) await this.#pause(wait);
    }
  }

  async #pause(ms: number): Promise<void> {
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    await delay(ms, undefined, { signal: woken.signal, ref: false }).catch(() => {});
    this.#wake = null;
  }

  async #failed(error: unknown): Promise<void> {
    const { observe, isElsewhere, report } = this.#options;
    if (this.#closed || (await isElsewhere())) return;
    const nothing = { hostname: null, version: null, certificates: [] };
    const place = await observe();
    if (this.#closed) return;
    const text = place.state === 'ready' ? errorMessage(error) : place.text;
    report({ state: STATES[place.state], text, ...nothing });
  }

  /** Resolves when the connection has ended. */
  async #connect(): Promise<void> {
    const { client, replica, label, onOpen, onFrame, log } = this.#options;
    const agent = client();
    if (agent === null) throw new Error('Its host is not connected');
    await agent.putGateway(replica.id, label);
    const stream = await agent.openGateway(replica.id);
    if (this.#closed) {
      stream.destroy();
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const channel = new LineStream(stream, {
        onLine: (line) => {
          const frame = parseGatewayFrame(line);
          if (frame !== null) onFrame(this, frame);
          else log.warn({ gateway: label.name }, 'a message of a gateway cannot be read');
        },
        onEnd: (error) => {
          this.#channel = null;
          reject(error ?? new Error('The program of the gateway has ended the connection'));
        },
        longest: MAX_GATEWAY_LINE,
      });
      channel.send({ type: 'control' });
      this.#channel = channel;
      onOpen(this).catch((error) => {
        channel.close();
        reject(error);
      });
      if (this.#closed) resolve();
    });
  }
}
