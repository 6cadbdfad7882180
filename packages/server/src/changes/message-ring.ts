import type { ChangeType } from '@dstack/contract/wire';
import type { Audience } from './audience.ts';

/** A message that all streams share. */
export interface Message {
  readonly type: ChangeType;
  readonly audience: Audience;
  /** JSON text of a `ChangeMessage`. */
  readonly data: string;
}

interface Kept extends Message {
  /** The message as a server-sent event, with its id. */
  readonly text: string;
}

const MOST = { messages: 4096, characters: 8 * 1024 * 1024 };

/**
 * The latest messages, numbered, so that streams continue where they were: after a lost connection, or
 * because their reader was slow. Nothing is buffered per stream.
 */
export class MessageRing {
  /** Distinguishes the numbers of this process from those of others. */
  readonly #epoch: string;
  readonly #most: typeof MOST;
  readonly #kept = new Map<number, Kept>();
  #first = 1;
  #next = 1;
  #characters = 0;

  constructor(epoch: string, most: typeof MOST = MOST) {
    this.#epoch = epoch;
    this.#most = most;
  }

  /** The number of the next message. */
  get next(): number {
    return this.#next;
  }

  /** The oldest number from which all messages are still there. */
  get first(): number {
    return this.#first;
  }

  push(message: Message): void {
    const text = `id: ${this.idBefore(this.#next + 1)}\nevent: change\ndata: ${message.data}\n\n`;
    this.#kept.set(this.#next, { ...message, text });
    this.#next += 1;
    this.#characters += text.length;
    while (this.#kept.size > this.#most.messages || this.#characters > this.#most.characters) {
      this.#dropFirst();
    }
  }

  at(number: number): Kept | undefined {
    return this.#kept.get(number);
  }

  /** The id of a client that has received every message before this number. */
  idBefore(number: number): string {
    return `${this.#epoch}-${number - 1}`;
  }

  /** Null: not an id of this process, or messages after it are missing. */
  numberAfter(id: string): number | null {
    const [epoch, text = ''] = id.split('-');
    const number = Number(text) + 1;
    const isKnown = /^\d{1,15}$/.test(text) && number >= this.#first && number <= this.#next;
    return epoch === this.#epoch && isKnown ? number : null;
  }

  /** Messages are missing here: every stream has to start again. */
  skip(): void {
    this.#kept.clear();
    this.#characters = 0;
    // Also streams that have received everything until now.
    this.#next += 1;
    this.#first = this.#next;
  }

  #dropFirst(): void {
    this.#characters -= this.#kept.get(this.#first)?.text.length ?? 0;
    this.#kept.delete(this.#first);
    this.#first += 1;
  }
}
