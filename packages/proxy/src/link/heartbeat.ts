import { ChannelClosed, type WorkerChannel } from './worker-channel.ts';

export interface BeatLimits {
  /** Between two beats, in milliseconds. */
  readonly everyMs: number;
  /** Unanswered beats after which a process counts as unresponsive: others are to get its work meanwhile. */
  readonly unresponsiveAfter: number;
  /** Unanswered beats after which it is lost. */
  readonly lostAfter: number;
}

/** The longest work of a healthy worker in one turn is far below ten seconds, also on a busy computer. */
export const BEATS: BeatLimits = { everyMs: 1000, unresponsiveAfter: 3, lostAfter: 10 };

export interface HeartbeatEvents {
  readonly onUnresponsive: () => void;
  /** It answers again. */
  readonly onBack: () => void;
  /** It stands still; no more beats follow. */
  readonly onLost: () => void;
}

/**
 * Notices that the process at the other end of a channel stands still. It counts the beats that this process has sent
 * itself, never the time: a process that was paused finds one beat unanswered afterwards, and reads the answer before it
 * sends the next one.
 */
export class Heartbeat {
  readonly #channel: Pick<WorkerChannel, 'ask'>;
  readonly #limits: BeatLimits;
  readonly #events: HeartbeatEvents;
  readonly #timer: NodeJS.Timeout;
  #unanswered = 0;

  constructor(
    channel: Pick<WorkerChannel, 'ask' | 'closed'>,
    events: HeartbeatEvents,
    limits = BEATS,
  ) {
    this.#channel = channel;
    this.#limits = limits;
    this.#events = events;
    this.#timer = setInterval(() => this.#tick(), limits.everyMs).unref();
    void channel.closed.then(() => clearInterval(this.#timer));
  }

  get isUnresponsive(): boolean {
    return this.#unanswered > this.#limits.unresponsiveAfter;
  }

  #tick(): void {
    if (this.#unanswered >= this.#limits.lostAfter) {
      clearInterval(this.#timer);
      this.#events.onLost();
      return;
    }
    const wasUnresponsive = this.isUnresponsive;
    this.#unanswered += 1;
    // An error is an answer too: an earlier version does not have this message.
    this.#channel.ask('beat', {}).then(
      () => this.#answered(),
      (error) => error instanceof ChannelClosed || this.#answered(),
    );
    if (!wasUnresponsive && this.isUnresponsive) this.#events.onUnresponsive();
  }

  #answered(): void {
    const wasUnresponsive = this.isUnresponsive;
    this.#unanswered = 0;
    if (wasUnresponsive) this.#events.onBack();
  }
}
