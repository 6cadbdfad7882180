import {
  type AgentFrame,
  type AgentInfo,
  type JobState,
  type PullProgress,
  parseServerFrame,
  type ServerFrame,
} from '@dstack/contract/agent';
import type { RawData, WebSocket } from 'ws';
import type { EventLogger } from '../host/log.ts';
import type { NoticeFrame } from '../host/notices/metadata-watch.ts';
import type { AgentJob } from '../jobs/job.ts';
import type { JobListener, JobRegistry } from '../jobs/registry.ts';
import { LogPusher, type Turn } from './log-pusher.ts';

/** Log bytes that the socket may buffer; a state waits for at most these. */
const MAX_BUFFERED = 256 * 1024;

/** A failed read is tried again after this time. */
const READ_AGAIN_MS = 1000;

/** Close codes of the stream, beside those of the WebSocket protocol. */
export const CLOSE_REPLACED = 4001;
export const CLOSE_FOREIGN_SERVER = 4003;
export const CLOSE_BAD_FRAME = 4400;

export interface StreamOptions {
  readonly info: () => AgentInfo;
  /** The newest results of the health checks; null before the first ones. */
  readonly health: () => (AgentFrame & { type: 'health' }) | null;
  /** That the provider takes the machine back; null = it does not. */
  readonly notice: () => NoticeFrame | null;
  readonly registry: JobRegistry;
  readonly log: EventLogger;
  /** False if this agent belongs to another server; else this server owns it from now on. */
  readonly claim: (serverId: string) => boolean;
}

/**
 * The connection of one server. It sends `hello` and `sync` at once, and after the server's
 * `resume` all changes. `sync` contains all states, so those numbered up to its `last` are never
 * sent again; later ones wait for `resume`.
 */
export class StreamSession implements JobListener {
  readonly #socket: WebSocket;
  readonly #options: StreamOptions;
  readonly #pushers = new Map<string, LogPusher>();
  readonly #ready = new Set<string>();
  readonly #early: AgentFrame[] = [];
  readonly #unlisten: () => void;
  #resumed = false;
  #pumping = false;

  constructor(socket: WebSocket, options: StreamOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on('message', (data, binary) => this.#onMessage(data, binary));
    socket.on('close', () => this.#end());
    socket.on('error', () => socket.terminate());
    this.#send({ type: 'hello', info: options.info() });
    const { registry } = options;
    this.#send({
      type: 'sync',
      jobs: registry.jobs.map((job) => job.state),
      last: registry.lastNumber,
    });
    this.#unlisten = registry.listen(this);
  }

  onState(n: number, state: JobState): void {
    this.#sendAfterResume({ type: 'state', n, state });
  }

  onPull(id: string, progress: PullProgress): void {
    this.#sendIfTaken({ type: 'pull', id, progress });
  }

  /**
   * Also called for a job that the server had no record of when it connected, and that it puts
   * again.
   */
  onPut(job: AgentJob): void {
    if (!this.#pushers.has(job.id)) this.#push(job, 0);
  }

  onDeleted(id: string): void {
    this.#pushers.get(id)?.close();
    this.#pushers.delete(id);
    this.#ready.delete(id);
  }

  onTunnel(id: string, tunnel: string): void {
    if (this.#resumed) this.#send({ type: 'tunnel', id, tunnel });
  }

  /** Sends a frame that is only useful now, or drops it. */
  sendNow(frame: AgentFrame & { type: 'metrics' | 'activity' | 'health' }): void {
    this.#sendIfTaken(frame);
  }

  /** Before `resume` it is dropped, because it is sent then. */
  onNotice(frame: NoticeFrame): void {
    if (this.#resumed) this.#send(frame);
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  #onMessage(data: RawData, binary: boolean): void {
    try {
      if (binary) throw new Error('binary message');
      const frame = parseServerFrame(String(data));
      // A frame of a newer protocol is ignored.
      if (frame) this.#onFrame(frame);
    } catch (error) {
      this.#options.log.error('bad frame', error);
      this.close(CLOSE_BAD_FRAME, 'bad frame');
    }
  }

  #onFrame(frame: ServerFrame): void {
    switch (frame.type) {
      case 'resume':
        this.#resume(frame.server_id, frame.logs);
        return;
      case 'credit':
        this.#pushers.get(frame.id)?.addCredit(frame.bytes);
        return;
      case 'rewind':
        this.#pushers.get(frame.id)?.rewind(frame.offset);
        return;
      case 'ack':
        // Nothing to do: the next `sync` repeats the newest state of every job until its DELETE,
        // and logs are kept until then for readers over SSH.
        return;
    }
  }

  #resume(serverId: string, logs: Readonly<Record<string, number>>): void {
    if (!this.#options.claim(serverId)) {
      this.close(CLOSE_FOREIGN_SERVER, 'this agent belongs to another server');
      return;
    }
    if (this.#resumed) return;
    this.#resumed = true;
    for (const frame of this.#early.splice(0)) this.#send(frame);
    for (const frame of [this.#options.notice(), this.#options.health()]) {
      if (frame) this.#send(frame);
    }
    for (const job of this.#options.registry.jobs) {
      const stored = logs[job.id];
      if (stored !== undefined) this.#push(job, stored);
      for (const tunnel of job.reach.access?.tunnels?.waiting ?? []) this.onTunnel(job.id, tunnel);
    }
    void this.#pump();
  }

  #push(job: AgentJob, offset: number): void {
    const early = this.#pushers.get(job.id);
    if (early) {
      early.rewind(offset);
      return;
    }
    const wake = (): void => this.#wake(job.id);
    this.#pushers.set(job.id, new LogPusher(job.id, job.log, offset, wake));
    wake();
  }

  /** Sends one frame of each job with pending output in turn, while the socket accepts them. */
  async #pump(): Promise<void> {
    if (this.#pumping || !this.#resumed) return;
    this.#pumping = true;
    try {
      while (this.#ready.size > 0 && this.#isOpen()) {
        for (const id of [...this.#ready]) {
          if (this.#socket.bufferedAmount > MAX_BUFFERED) return;
          await this.#turn(id);
        }
      }
    } finally {
      this.#pumping = false;
    }
  }

  async #turn(id: string): Promise<void> {
    // Removed first, so that a wake-up during the turn counts.
    this.#ready.delete(id);
    const turn = await this.#next(id);
    if (!turn || !this.#isOpen()) return;
    this.#ready.add(id);
    if ('gap' in turn) this.#send({ type: 'gap', id, offset: turn.gap });
    else this.#socket.send(turn.frame, () => void this.#pump());
  }

  /** Retries a failed read, since an ended job would not wake its pusher again. */
  async #next(id: string): Promise<Turn> {
    const pusher = this.#pushers.get(id);
    try {
      return (await pusher?.next()) ?? null;
    } catch (error) {
      this.#options.log.error('reading a log failed', error, { job: id });
      setTimeout(() => this.#wake(id), READ_AGAIN_MS).unref();
      return null;
    }
  }

  #wake(id: string): void {
    this.#ready.add(id);
    void this.#pump();
  }

  /** Frames that the next one replaces are dropped while the server does not read. */
  #sendIfTaken(frame: AgentFrame): void {
    if (this.#resumed && this.#socket.bufferedAmount <= MAX_BUFFERED) this.#send(frame);
  }

  #sendAfterResume(frame: AgentFrame): void {
    if (this.#resumed) this.#send(frame);
    else this.#early.push(frame);
  }

  #send(frame: AgentFrame): void {
    if (this.#isOpen()) this.#socket.send(JSON.stringify(frame));
  }

  #isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  #end(): void {
    this.#unlisten();
    for (const pusher of this.#pushers.values()) pusher.close();
    this.#pushers.clear();
    this.#ready.clear();
  }
}
