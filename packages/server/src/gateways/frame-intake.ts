import type { GatewayCommand, GatewayFrame } from '@dstack/contract/agent';
import type { Logger } from '../process/logging.ts';
import { boundFrame, type FrameBinding, type FrameType } from './bound-frames.ts';
import { FrameMeter } from './frame-meter.ts';

export interface FrameIntakeOptions {
  /** Resolves once the replica was sent what it serves: what it may speak of is known only then. */
  readonly ready: () => Promise<void>;
  /** Whether the link is still that of a replica that serves. */
  readonly isCurrent: () => boolean;
  readonly binding: () => FrameBinding;
  readonly send: (answer: GatewayCommand) => void;
  /** Deals with what is the gateway's own. Returns false if it was not after all. */
  readonly take: (frame: GatewayFrame) => Promise<boolean>;
  /** A message was not obeyed. `unknown`: of a type that only newer programs send. */
  readonly onRefused: (type: FrameType | 'unknown') => void;
  /** More messages than allowed were refused. */
  readonly onMisuse: (type: FrameType | 'unknown') => void;
  /** Milliseconds. */
  readonly now: () => number;
  /** The logger of the gateway. */
  readonly log: Logger;
}

/** Per minute: a few messages about what has just left the gateway are a race. */
const MOST_FOREIGN = 1000;
/** Per minute: each worker of a gateway sends a few each second. */
const MOST_WRITES = 12_000;
/** Messages whose content is stored. */
const STORED: readonly FrameType[] = ['status', 'issued', 'counts', 'usage', 'load'];

/** Receives the messages of one replica, and obeys only what is about the gateway's own. */
export class FrameIntake {
  readonly #options: FrameIntakeOptions;
  readonly #foreign: FrameMeter;
  readonly #writes: FrameMeter;

  constructor(options: FrameIntakeOptions) {
    const { now } = options;
    this.#options = options;
    this.#foreign = new FrameMeter({ most: MOST_FOREIGN, now });
    this.#writes = new FrameMeter({ most: MOST_WRITES, now });
  }

  /** Null: of an unknown type. Never rejects. What follows from a message may still be under way afterwards. */
  async receive(frame: GatewayFrame | null): Promise<void> {
    const { ready, isCurrent, log } = this.#options;
    try {
      await ready();
      if (!isCurrent()) return;
      if (frame === null) this.#refused('unknown');
      else await this.#obey(frame);
    } catch (error) {
      const type = frame?.type ?? 'unknown';
      log.warn({ err: error, message: type }, 'a message of a gateway was not dealt with');
    }
  }

  async #obey(frame: GatewayFrame): Promise<void> {
    const { binding, send, take } = this.#options;
    if (STORED.includes(frame.type) && this.#writes.add()) {
      this.#refused(frame.type);
      return;
    }
    const bound = boundFrame(frame, binding());
    if (bound.frame === null && bound.answer !== null) send(bound.answer);
    const isOwn = bound.frame === null || (await take(bound.frame));
    if (bound.isForeign || !isOwn) this.#refused(frame.type);
  }

  #refused(type: FrameType | 'unknown'): void {
    const { onRefused, onMisuse, log } = this.#options;
    onRefused(type);
    const isOver = this.#foreign.add();
    if (this.#foreign.isFirst) {
      log.warn({ message: type }, 'a gateway has sent a message about what is not its own');
    }
    if (!isOver) return;
    this.#foreign.reset();
    onMisuse(type);
  }
}
