import { connect } from 'node:net';
import {
  type BeatLimits,
  type Handlers,
  Heartbeat,
  LineChannel,
  withRunningTimeout,
} from '@dstack/proxy';
import { type Hello, type Sync, type Synced, WORKER_PROTOCOL } from './protocol.ts';
import { startTimeOf, type WorkerRecord } from './worker-records.ts';

/** A worker that runs answers within this time, in milliseconds. */
export const HELLO_MS = 5000;

/** Something has the socket of a worker, and answers nothing. */
export class NoHello extends Error {}

export interface WorkerLinkOptions {
  readonly socket: string;
  readonly handlers: (link: () => WorkerLink) => Handlers;
  /** The worker did not accept connections itself, and now does. */
  readonly onAccepting: () => void;
  /** It has answered nothing for a while: see `Heartbeat`. */
  readonly onUnresponsive: (link: WorkerLink) => void;
  /** It stands still; its connection is closed next. */
  readonly onLost: (link: WorkerLink) => void;
  readonly beats?: BeatLimits;
}

/** The server's connection to one worker. */
export class WorkerLink {
  readonly channel: LineChannel;
  readonly hello: Hello;
  /** Taken while the worker answers: later another process may have its id. */
  readonly process: Pick<WorkerRecord, 'pid' | 'startTime'>;
  isDraining: boolean;
  /** It takes requests, or has taken them. */
  isReady = false;
  /** See `Synced`. */
  isAccepting = true;
  /** Notifications while the services are being read; null: sent at once. */
  #queue: { readonly type: string; readonly data: unknown }[] | null = [];
  readonly openedAt = performance.now();
  readonly #heart: Heartbeat;

  private constructor(channel: LineChannel, hello: Hello, options: WorkerLinkOptions) {
    this.channel = channel;
    this.hello = hello;
    const onLost = () => {
      options.onLost(this);
      channel.close();
    };
    const events = { onUnresponsive: () => options.onUnresponsive(this), onBack: () => {}, onLost };
    this.#heart = new Heartbeat(channel, events, options.beats);
    this.process = { pid: hello.pid, startTime: startTimeOf(hello.pid) };
    this.isDraining = hello.isDraining;
  }

  /** Rejects if nothing answers. */
  static async open(options: WorkerLinkOptions): Promise<WorkerLink> {
    const stream = connect(options.socket);
    const greeted = Promise.withResolvers<Hello>();
    stream.once('error', greeted.reject);
    let link: WorkerLink | undefined;
    const ofLink = options.handlers(() => link as WorkerLink);
    const accepting = () => {
      if (link) link.isAccepting = true;
      options.onAccepting();
    };
    const channel = new LineChannel(stream, { ...ofLink, accepting, hello: greeted.resolve });
    const onTimeout = () => {
      channel.close();
      throw new NoHello('a proxy worker does not answer');
    };
    const hello = await withRunningTimeout(() => greeted.promise, { ms: HELLO_MS, onTimeout });
    link = new WorkerLink(channel, hello, options);
    return link;
  }

  /** It has left several beats unanswered, and may answer again. */
  get isUnresponsive(): boolean {
    return this.#heart.isUnresponsive;
  }

  get id(): string {
    return this.hello.id;
  }

  /** Whether the worker has this protocol. With another one, only the messages that never change are sent. */
  get isUnderstood(): boolean {
    return this.hello.protocol === WORKER_PROTOCOL;
  }

  notify(type: string, data: unknown): void {
    if (!this.isUnderstood) return;
    if (this.#queue === null) this.channel.notify(type, data);
    else this.#queue.push({ type, data });
  }

  /** Rejects if there is no answer within `ms` of running time: the link is closed. */
  async ask<T>(type: string, data: unknown, ms: number): Promise<T> {
    const onTimeout = () => {
      this.channel.close();
      throw new Error(`a proxy worker does not answer: ${type}`);
    };
    return await withRunningTimeout(() => this.channel.ask<T>(type, data), { ms, onTimeout });
  }

  /** Sends all services and callers, and what has changed since they were read. */
  async sync(sync: Sync, ms: number): Promise<void> {
    const done = this.ask<Synced | null>('sync', sync, ms);
    const queue = this.#queue ?? [];
    this.#queue = null;
    for (const { type, data } of queue) this.channel.notify(type, data);
    this.isAccepting = (await done)?.isAccepting ?? true;
    this.isReady = true;
  }

  /** Stops accepting connections; resolves once it has. */
  async drain(ms: number): Promise<void> {
    this.isDraining = true;
    await this.ask('drain', {}, ms);
  }
}
