import { connect } from 'node:net';
import { withTimeout } from '@dstack/contract/with-timeout';
import { type Handlers, LineChannel } from '@dstack/proxy';
import { type Hello, type Sync, type Synced, WORKER_PROTOCOL } from './protocol.ts';
import { startTimeOf, type WorkerRecord } from './worker-records.ts';

/** A worker that runs answers within this time, in milliseconds. */
const HELLO_MS = 5000;

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

  private constructor(channel: LineChannel, hello: Hello) {
    this.channel = channel;
    this.hello = hello;
    this.process = { pid: hello.pid, startTime: startTimeOf(hello.pid) };
    this.isDraining = hello.isDraining;
  }

  /** Rejects if nothing answers. `onAccepting`: the worker did not accept connections itself, and now does. */
  static async open(
    socket: string,
    handlers: (link: () => WorkerLink) => Handlers,
    onAccepting: () => void,
  ): Promise<WorkerLink> {
    const stream = connect(socket);
    const greeted = Promise.withResolvers<Hello>();
    stream.once('error', greeted.reject);
    let link: WorkerLink | undefined;
    const ofLink = handlers(() => link as WorkerLink);
    const accepting = () => {
      if (link) link.isAccepting = true;
      onAccepting();
    };
    const channel = new LineChannel(stream, { ...ofLink, accepting, hello: greeted.resolve });
    const onTimeout = () => {
      channel.close();
      throw new Error('a proxy worker does not answer');
    };
    const hello = await withTimeout(() => greeted.promise, { ms: HELLO_MS, onTimeout });
    link = new WorkerLink(channel, hello);
    return link;
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

  /** Rejects if there is no answer within `ms`: the worker stands still, and the link is closed. */
  async ask<T>(type: string, data: unknown, ms: number): Promise<T> {
    const onTimeout = () => {
      this.channel.close();
      throw new Error(`a proxy worker does not answer: ${type}`);
    };
    return await withTimeout(() => this.channel.ask<T>(type, data), { ms, onTimeout });
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
