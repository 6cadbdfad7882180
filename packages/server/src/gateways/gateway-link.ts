import {
  type GatewayCommand,
  type GatewayFrame,
  MAX_GATEWAY_LINE,
  parseGatewayFrame,
} from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import type { GatewayReplicaRecord, GatewayReport } from '@dstack/core';
import { LineStream } from '@dstack/proxy';
import type { AgentClient } from '../hosts/agent-client.ts';
import type { Logger } from '../process/logging.ts';

/** A report about a replica by its program or its machine. */
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
  /** Null: a type that only newer programs send. Never rejects; resolves once it was dealt with. */
  readonly onFrame: (frame: GatewayFrame | null) => Promise<void>;
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
/** Messages in work; while there are more, the program waits. */
const MOST_IN_WORK = 100;
/** After abuse. */
const CUT_OFF_MS = 60_000;

/** The connection to the program of one gateway replica; it is opened again until `close`. */
export class GatewayLink {
  readonly #options: GatewayLinkOptions;
  #channel: LineStream | null = null;
  #closed = false;
  #wake: (() => void) | null = null;
  /** Why the connection is not opened again at once; null = it is. */
  #misuse: string | null = null;

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

  /** Ends the connection for a minute, because of what the program has sent. `why`: for people. */
  cutOff(why: string): void {
    const channel = this.#channel;
    if (channel === null) return;
    this.#misuse = why;
    this.#channel = null;
    channel.close();
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
      const began = performance.now();
      try {
        await this.#connect();
      } catch (error) {
        await this.#failed(error).catch((failure) => {
          this.#options.log.warn({ err: failure }, 'the state of a gateway was not stored');
        });
      }
      if (performance.now() - began > LONGEST_WAIT_MS) wait = FIRST_WAIT_MS;
      if (this.#misuse !== null) await this.#pause(CUT_OFF_MS, { isWakeable: false });
      else if (!this.#closed) await this.#pause(wait);
      this.#misuse = null;
    }
  }

  async #pause(ms: number, { isWakeable = true } = {}): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms).unref();
      this.#wake = () => {
        if (!isWakeable && !this.#closed) return;
        clearTimeout(timer);
        resolve();
      };
    });
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
    const { client, replica, label, onOpen } = this.#options;
    const agent = client();
    if (agent === null) throw new Error('Its host is not connected');
    await agent.putGateway(replica.id, label);
    const stream = await agent.openGateway(replica.id);
    if (this.#closed) {
      stream.destroy();
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const channel: LineStream = new LineStream(stream, {
        onLine: this.#reader(() => channel),
        onEnd: (error) => {
          this.#channel = null;
          const ended = 'The program of the gateway has ended the connection';
          reject(this.#misuse === null ? (error ?? new Error(ended)) : new Error(this.#misuse));
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

  /** A line that cannot be read ends the connection. A burst waits in the program, not in this server. */
  #reader(channel: () => LineStream): (line: string) => void {
    let inWork = 0;
    return (line) => {
      // More lines may have been read already.
      if (this.#channel !== channel()) return;
      inWork += 1;
      if (inWork === MOST_IN_WORK) channel().pause();
      void this.#options.onFrame(parseGatewayFrame(line)).finally(() => {
        inWork -= 1;
        if (inWork === MOST_IN_WORK / 2) channel().resume();
      });
    };
  }
}
