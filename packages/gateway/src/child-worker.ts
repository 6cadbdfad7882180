import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, renameSync, rmSync, statSync } from 'node:fs';
import type { AccessPages } from '@dstack/contract/agent';
import {
  type AccessPage,
  type BeatLimits,
  type Handlers,
  Heartbeat,
  type HeartbeatEvents,
  type OtherProcess,
  ProcessChannel,
  type RequestEngine,
  withRunningTimeout,
} from '@dstack/proxy';
import { callsSocket } from './nginx/configuration.ts';
import type { Listen } from './worker/gateway-state.ts';

export interface Worker extends RequestEngine {
  notify(type: string, data: unknown): void;
}

/** A worker that is started listens within this time, in milliseconds, also on a busy computer. */
const START_MS = 60_000;

/** A process that carries requests, as the main process sees it. */
export class ChildWorker implements Worker {
  readonly child: ChildProcess;
  readonly channel: ProcessChannel;
  /** Names the process among all that answer requests. */
  readonly #id = randomUUID();
  /** Null until it listens. */
  #heart: Heartbeat | null = null;
  /** A later worker has others at the same paths. */
  #sockets: readonly { readonly path: string; readonly inode: number }[] = [];
  #isHidden = false;

  constructor(child: ChildProcess, handlers: (worker: Worker) => Handlers) {
    this.child = child;
    this.channel = new ProcessChannel(child as OtherProcess, handlers(this));
  }

  /** It listens, and answers. */
  get isServing(): boolean {
    return this.#heart?.isUnresponsive === false;
  }

  notify(type: string, data: unknown): void {
    this.channel.notify(type, data);
  }

  leave(jobId: string): Promise<unknown> {
    return this.channel.ask('leave', { jobId });
  }

  async access(runId: string, after: Readonly<Record<string, number>>): Promise<AccessPages> {
    const asked = { runId, after: after[this.#id] ?? null };
    const page = await this.channel.ask<AccessPage>('access', asked);
    return [{ process: this.#id, ...page, records: [...page.records] }];
  }

  /** Resolves when it listens. */
  async listen(wanted: Listen): Promise<void> {
    const onTimeout = () => {
      throw new Error('a worker does not answer');
    };
    const listening = () => this.channel.ask<void>('listen', wanted);
    await withRunningTimeout(listening, { ms: START_MS, onTimeout });
    this.#sockets = [wanted.socket, callsSocket(wanted.socket)].flatMap((path) => {
      const inode = inodeOf(path);
      return inode === null ? [] : [{ path, inode }];
    });
  }

  /** Reports from now on when it stands still. */
  watch(events: HeartbeatEvents, limits?: BeatLimits): void {
    this.#heart = new Heartbeat(this.channel, events, limits);
  }

  /** nginx finds its sockets no more, and sends what it opens new connections for to another worker. */
  hide(): void {
    for (const { path, inode } of this.#sockets) {
      if (inodeOf(path) === inode) renameSync(path, hidden(path));
    }
    this.#isHidden = true;
  }

  show(): void {
    if (!this.#isHidden) return;
    this.#isHidden = false;
    for (const { path, inode } of this.#sockets) {
      if (inodeOf(hidden(path)) === inode && !existsSync(path)) renameSync(hidden(path), path);
    }
  }

  onExit(): void {
    if (!this.#isHidden) return;
    for (const { path, inode } of this.#sockets) {
      if (inodeOf(hidden(path)) === inode) rmSync(hidden(path), { force: true });
    }
  }
}

const hidden = (path: string): string => `${path}.unresponsive`;

/** Null: nothing is there. */
function inodeOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? null;
}
