import {
  type AgentFrame,
  type AgentInfo,
  type HostHealth,
  type HostNotice,
  type JobMetrics,
  type JobState,
  type LogFrame,
  Malformed,
  type PullProgress,
  parseAgentFrame,
  parseLogFrame,
  type ServerFrame,
} from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import { HostError } from '@dstack/ssh';
import type { WebSocket } from 'ws';
import type { Logger } from '../process/logging.ts';
import type { AgentClient } from './agent-client.ts';

/**
 * The receiver of a link's frames. The agent gets its acknowledgement once the promise resolves.
 */
export interface HostSink {
  connected(info: AgentInfo): Promise<void>;
  /** `failed`: no repetition can help until a person changes the host or its fleet. */
  lost(error: string, how: { readonly failed: boolean }): Promise<void>;
  /**
   * All states of the agent, at each (re)connect. Returns the stored log lengths to resume from.
   */
  sync(jobs: readonly JobState[]): Promise<Readonly<Record<string, number>>>;
  states(states: readonly JobState[]): Promise<void>;
  /** Bytes accepted or cut; `rewindTo` if bytes before this piece are missing. */
  log(frame: LogFrame): Promise<{ readonly rewindTo: number | null }>;
  gap(jobId: string, offset: number): Promise<void>;
  pull(jobId: string, progress: PullProgress): void;
  metrics(jobId: string, metrics: JobMetrics): void;
  activity(jobId: string, noConnectionsSecs: number): void;
  /** A process of a job has connected to the server and waits to be fetched. */
  tunnel(jobId: string, tunnel: string): void;
  /** Results of all health checks of the host. */
  health(report: HostHealth): void;
  /** The provider takes the machine back. */
  notice(notice: HostNotice): void;
}

export interface HostLinkOptions {
  readonly hostId: string;
  readonly serverId: string;
  readonly client: AgentClient;
  /** Makes the agent answer before each attempt (starts the local one); throws if it cannot. */
  readonly prepare: () => Promise<void>;
  readonly sink: HostSink;
  readonly log: Logger;
  /**
   * Milliseconds between two pings; a peer that has sent nothing since the last one counts as lost.
   */
  readonly pingMs?: number;
}

const RECONNECT_MIN_MS = 200;
const RECONNECT_MAX_MS = 30_000;
const PING_MS = 10_000;
/** An agent whose frames are invalid sends them again: such a link is opened again this often. */
const MALFORMED_ATTEMPTS = 7;
/** Bytes of frames that wait to be handled; above this, nothing more is read from the socket. */
const MAX_WAITING = 4 * 1024 * 1024;

/**
 * One agent's stream, kept open: connect, full sync, then pushes until it breaks, then again with
 * jittered back-off. Frames are handled one after another, in order.
 */
export class HostLink {
  readonly #options: HostLinkOptions;
  #socket: WebSocket | null = null;
  #info: AgentInfo | null = null;
  #closed = false;
  #attempt = 0;
  #retry: NodeJS.Timeout | undefined;
  #ended: Promise<void> = Promise.resolve();

  constructor(options: HostLinkOptions) {
    this.#options = options;
  }

  get client(): AgentClient {
    return this.#options.client;
  }

  start(): void {
    this.#ended = this.#connect();
  }

  /**
   * Connects at once if the link waits for its next attempt: what prevented it may have passed. An attempt
   * under way may still fail because of it, and then the pause is short.
   */
  retryNow(): void {
    if (this.#closed) return;
    this.#attempt = 0;
    if (this.#retry === undefined) return;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.start();
  }

  /** Ends the stream; the agent and its jobs continue. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#socket?.terminate();
    this.#options.client.close();
    await this.#ended;
  }

  send(frame: ServerFrame): void {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(frame));
  }

  async #connect(): Promise<void> {
    let reason = 'connection closed';
    let failed = false;
    try {
      await this.#options.prepare();
      if (this.#closed) return;
      await this.#serve(this.#options.client.openStream());
    } catch (error) {
      reason = errorMessage(error);
      failed = error instanceof HostError && error.permanent;
      if (error instanceof Malformed) {
        reason = `the agent sent a frame that is not as agreed: ${reason}`;
        this.#attempt = MALFORMED_ATTEMPTS;
      }
    }
    if (this.#closed) return;
    await this.#options.sink.lost(reason, { failed }).catch((error) => {
      this.#options.log.warn(
        { host: this.#options.hostId, err: error },
        'loss of a link not stored',
      );
    });
    const ceiling = Math.min(RECONNECT_MAX_MS, RECONNECT_MIN_MS * 2 ** this.#attempt++);
    this.#retry = setTimeout(
      () => {
        this.#retry = undefined;
        this.start();
      },
      ceiling * (0.5 + Math.random() / 2),
    );
  }

  /** Resolves or throws when the stream has ended and all its frames were handled. */
  #serve(socket: WebSocket): Promise<void> {
    this.#socket = socket;
    return new Promise((resolve, reject) => {
      const alive = setInterval(() => {
        if (!received) return fail(new Error('the agent does not answer any more'));
        // A paused socket delivers no pong.
        received = socket.isPaused;
        // Before it is open there is nothing to ping, but the same limit for an answer.
        if (socket.readyState === socket.OPEN) socket.ping();
      }, this.#options.pingMs ?? PING_MS);
      let received = true;
      let failure: Error | null = null;
      let tail = Promise.resolve();
      const fail = (error: Error) => {
        failure ??= error;
        socket.terminate();
      };
      socket.on('pong', () => {
        received = true;
      });
      let waiting = 0;
      socket.on('message', (data: Buffer, binary) => {
        received = true;
        waiting += data.length;
        if (waiting > MAX_WAITING) socket.pause();
        tail = tail
          .then(() => (failure ? undefined : this.#frame(data, binary)))
          .catch(fail)
          .finally(() => {
            waiting -= data.length;
            if (socket.isPaused && waiting <= MAX_WAITING / 2) socket.resume();
          });
      });
      socket.on('error', (error) => {
        failure ??= error;
      });
      socket.on('close', () => {
        clearInterval(alive);
        this.#socket = null;
        void tail.then(() => (failure ? reject(failure) : resolve()));
      });
    });
  }

  async #frame(data: Buffer, binary: boolean): Promise<void> {
    if (binary) return await this.#logFrame(parseLogFrame(data));
    const frame = parseAgentFrame(data.toString('utf8'));
    // A newer agent may send frames that this server does not support.
    if (frame) await this.#handle(frame);
  }

  async #handle(frame: AgentFrame): Promise<void> {
    const { sink } = this.#options;
    switch (frame.type) {
      case 'hello':
        this.#info = frame.info;
        return;
      case 'sync':
        return await this.#sync(frame.jobs, frame.last);
      case 'state':
        await sink.states([frame.state]);
        return this.send({ type: 'ack', states: frame.n });
      case 'pull':
        return sink.pull(frame.id, frame.progress);
      case 'metrics':
        return sink.metrics(frame.id, frame.metrics);
      case 'activity':
        return sink.activity(frame.id, frame.no_connections_secs);
      case 'tunnel':
        return sink.tunnel(frame.id, frame.tunnel);
      case 'health':
        return sink.health(frame);
      case 'notice':
        return sink.notice(frame);
      case 'gap':
        return await sink.gap(frame.id, frame.offset);
    }
  }

  async #sync(jobs: readonly JobState[], last: number): Promise<void> {
    if (!this.#info) throw new Malformed('sync', 'came before hello');
    const logs = await this.#options.sink.sync(jobs);
    this.send({ type: 'resume', server_id: this.#options.serverId, logs });
    this.send({ type: 'ack', states: last });
    await this.#options.sink.connected(this.#info);
    // Only now: while the database stores nothing, each attempt fails at this point.
    this.#attempt = 0;
    // Open a connection for the first command; if this fails, the command opens one itself.
    this.#options.client.info().catch(() => {});
  }

  async #logFrame(frame: LogFrame): Promise<void> {
    const { rewindTo } = await this.#options.sink.log(frame);
    if (rewindTo !== null) this.send({ type: 'rewind', id: frame.id, offset: rewindTo });
  }
}
