/**
 * A link of one server to a scripted agent: syncs at each connection, pushes in between, breaks.
 */
import type { JobState } from '@dstack/contract/agent';
import type { Random } from '@dstack/testkit/random';
import type { HostLinkOptions } from '../../hosts/host-link.ts';
import type { Link } from '../../hosts/hosts.ts';
import { lieOfAgent } from './agent-lies.ts';
import { ScriptedClient } from './scripted-client.ts';
import type { SimClock } from './sim-clock.ts';
import type { SimHost } from './sim-hosts.ts';

const RECONNECT_MIN = 200_000;
const RECONNECT_MAX = 30_000_000;

export class SimLink implements Link {
  readonly client: ScriptedClient;
  readonly #host: SimHost;
  readonly #isShort: () => boolean;
  readonly #server: object;
  readonly #foreign: (host: SimHost) => JobState | null;
  readonly #sink: HostLinkOptions['sink'];
  readonly #prepare: HostLinkOptions['prepare'];
  readonly #clock: SimClock;
  readonly #random: Random;
  #closed = false;
  #attempt = 0;
  /** Pushes are handled one after another; a broken link drops the remaining ones. */
  #tail: Promise<void> = Promise.resolve();
  #connection = 0;
  #unlisten: () => void = () => {};
  /** Bytes of each job's output that were sent over this connection, or stored before it. */
  readonly #sent = new Map<string, number>();

  constructor(
    { sink, prepare }: HostLinkOptions,
    parts: {
      readonly host: SimHost;
      readonly clock: SimClock;
      readonly random: Random;
      /** Whether the server can open no connection. */
      readonly isShort: () => boolean;
      readonly server: object;
      /** A job of another host; null: there is none. */
      readonly foreign: (host: SimHost) => JobState | null;
    },
  ) {
    this.client = new ScriptedClient(parts.host);
    this.#host = parts.host;
    this.#isShort = parts.isShort;
    this.#server = parts.server;
    this.#foreign = parts.foreign;
    this.#sink = sink;
    this.#prepare = prepare;
    this.#clock = parts.clock;
    this.#random = parts.random;
  }

  start(): void {
    void this.#connect();
  }

  send(): void {}

  // Scripted backends report nothing about the way to their agents.
  retryNow(): void {}

  /** The connection is lost although the host is well. */
  cut(): void {
    this.#break(this.#connection);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#connection += 1;
    this.#unlisten();
  }

  async #connect(): Promise<void> {
    await this.#clock.delay(this.#random.whole(1_000, 50_000));
    if (this.#closed) return;
    try {
      await this.#prepare();
    } catch (error) {
      await this.#lost(String(error));
      return;
    }
    if (this.#closed) return;
    if (this.#isShort()) {
      await this.#lost('connect EMFILE');
      return;
    }
    if (!this.#host.isReachable) {
      await this.#lost('the host does not answer');
      return;
    }
    const connection = ++this.#connection;
    this.#unlisten();
    this.#unlisten = this.#host.listen({
      onState: (state) => this.#arrives(() => this.#push(connection, state)),
      onOutput: (jobId) => this.#arrives(() => this.#queue(connection, () => this.#pump(jobId))),
      onReachable: () => {},
      onUnreachable: () => this.#arrives(() => this.#break(connection)),
      onLie: () => this.#arrives(() => this.#queue(connection, () => this.#lie())),
      onHealth: () =>
        this.#arrives(() =>
          this.#queue(connection, async () => this.#sink.health(this.#host.health)),
        ),
    });
    this.#queue(connection, async () => {
      this.#sent.clear();
      const states = this.#host.jobs.states;
      const stored = await this.#sink.sync(states);
      await this.#sink.connected(this.#host.info);
      this.#attempt = 0;
      this.#sink.health(this.#host.health);
      for (const { id } of states) {
        this.#sent.set(id, stored[id] ?? 0);
        await this.#pump(id);
      }
    });
  }

  #lie(): Promise<void> {
    return lieOfAgent({
      ...{ sink: this.#sink, random: this.#random, own: this.#host.jobs.states },
      ...{ foreign: this.#foreign(this.#host), now: this.#clock.now },
    });
  }

  #arrives(callback: () => void): void {
    this.#clock.deliver(this.#server, callback);
  }

  /** Sends the pending output of a job, in pieces; some of it twice, some out of order. */
  async #pump(jobId: string): Promise<void> {
    for (;;) {
      const from = this.#sent.get(jobId) ?? 0;
      const left = this.#host.jobs.outputFrom(jobId, from).length;
      if (left === 0) return;
      const offset = this.#random.chance(0.1)
        ? Math.max(0, from + this.#random.whole(-20, 20))
        : from;
      const text = this.#host.jobs.outputFrom(jobId, offset).slice(0, this.#random.whole(1, 150));
      const frame = { id: jobId, offset, time: this.#clock.now, bytes: Buffer.from(text) };
      const { rewindTo } = await this.#sink.log(frame);
      this.#sent.set(jobId, rewindTo ?? Math.max(from, offset + text.length));
    }
  }

  #push(connection: number, state: JobState): void {
    this.#queue(connection, () => this.#sink.states([state]));
  }

  #queue(connection: number, work: () => Promise<void>): void {
    this.#tail = this.#tail
      .then(async () => {
        await this.#clock.delay(this.#random.whole(100, 20_000));
        if (this.#connection === connection) await work();
      })
      .catch(() => this.#break(connection));
  }

  #break(connection: number): void {
    if (this.#connection !== connection || this.#closed) return;
    this.#connection += 1;
    this.#unlisten();
    this.#tail = this.#tail.then(() => this.#lost('the connection broke'));
  }

  async #lost(reason: string): Promise<void> {
    if (this.#closed) return;
    await this.#sink.lost(reason, { failed: false }).catch(() => {});
    const ceiling = Math.min(RECONNECT_MAX, RECONNECT_MIN * 2 ** this.#attempt++);
    await this.#clock.delay(ceiling * (0.5 + this.#random.next() / 2));
    if (!this.#closed) this.start();
  }
}
