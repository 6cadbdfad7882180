import type { Writable } from 'node:stream';
import type { ChangeType, StreamNotice } from '@dstack/contract/wire';
import { type ChangeViewer, isSameViewer, sees } from '../../changes/audience.ts';
import type { ChangeHub } from '../../changes/change-hub.ts';

export interface StreamChanges {
  readonly hub: ChangeHub;
  readonly viewer: ChangeViewer;
  /** Null: all. */
  readonly types: ReadonlySet<ChangeType> | null;
  /** Id of the last message that the client has received; null = none. */
  readonly after: string | null;
  /** The caller may see more or less of the projects now. */
  readonly onProjects: () => void;
}

const ALIVE_MS = 15_000;

/** A client that reads nothing for so many rounds of `ALIVE_MS` is disconnected. */
const PATIENCE = 2;

/**
 * Sends changes to one client, from the messages that all clients share. A slow client continues where it
 * was; one that has fallen too far behind must read everything again.
 */
export class ChangeStream {
  readonly #hub: ChangeHub;
  readonly #types: ReadonlySet<ChangeType> | null;
  readonly #sink: Writable;
  readonly #unlisten: () => void;
  readonly #alive: NodeJS.Timeout;
  /** Null: access is being checked. */
  #viewer: ChangeViewer | null;
  #lastViewer: ChangeViewer;
  /** The number of the next message to send. */
  #next: number;
  #blockedRounds = 0;

  constructor({ hub, viewer, types, after, onProjects }: StreamChanges, sink: Writable) {
    this.#hub = hub;
    this.#viewer = viewer;
    this.#lastViewer = viewer;
    this.#types = types;
    this.#sink = sink;
    const onMessages = () => this.#send();
    this.#unlisten = hub.listen({ onMessages, onProjects });
    this.#alive = setInterval(() => this.#keepAlive(), ALIVE_MS);
    sink.on('drain', onMessages);
    const { ring } = hub;
    const resumed = after === null ? null : ring.numberAfter(after);
    this.#next = resumed ?? ring.next;
    if (after !== null && resumed === null) this.#notice({ event: 'reset', reason: 'gap' });
    else this.#notice({ event: 'ready', resumed: resumed !== null });
    this.#send();
  }

  /** Sends nothing until `see`. */
  hold(): void {
    this.#viewer = null;
  }

  see(viewer: ChangeViewer): void {
    const isSame = isSameViewer(viewer, this.#lastViewer);
    this.#viewer = viewer;
    this.#lastViewer = viewer;
    if (!isSame) this.#reset('access');
    this.#send();
  }

  end(): void {
    clearInterval(this.#alive);
    this.#unlisten();
    this.#sink.end();
  }

  #send(): void {
    const { ring } = this.#hub;
    while (this.#viewer !== null && !this.#sink.writableNeedDrain && this.#next < ring.next) {
      if (this.#next < ring.first) {
        this.#reset('gap');
        break;
      }
      const message = ring.at(this.#next);
      this.#next += 1;
      if (message === undefined || !sees(this.#viewer, message.audience)) continue;
      if (this.#types?.has(message.type) === false) continue;
      this.#sink.write(message.text);
    }
  }

  #reset(reason: 'gap' | 'access'): void {
    this.#next = this.#hub.ring.next;
    this.#notice({ event: 'reset', reason });
  }

  #notice({ event, ...data }: StreamNotice): void {
    this.#write(event, JSON.stringify(data));
  }

  #keepAlive(): void {
    if (this.#sink.writableNeedDrain) {
      this.#blockedRounds += 1;
      if (this.#blockedRounds >= PATIENCE) this.#sink.destroy();
      return;
    }
    this.#blockedRounds = 0;
    this.#write('alive', '{}');
  }

  /** With the id from which the client can continue, although it received nothing that it may see. */
  #write(event: string, data: string): void {
    const id = this.#hub.ring.idBefore(this.#next);
    this.#sink.write(`id: ${id}\nevent: ${event}\ndata: ${data}\n\n`);
  }
}
