/** The connections that a worker gets from the one by which it was started. */
import type { Socket } from 'node:net';
import { type FromAccepter, type FromTaker, SHARE_FORM } from './share-messages.ts';

/** This process, as far as another one of the same program leads it. */
export type Led = Pick<NodeJS.Process, 'connected' | 'disconnect' | 'on' | 'once' | 'send'>;

export interface HandedConnectionsOptions {
  readonly led: Led;
  /** Open connections of this worker. */
  readonly open: () => number;
  readonly take: (socket: Socket) => void;
  /** The other worker has ended, or gives no more. */
  readonly onEnded: () => void;
}

export class HandedConnections {
  readonly #options: HandedConnectionsOptions;
  #taken = 0;
  #isReporting = false;

  constructor(options: HandedConnectionsOptions) {
    this.#options = options;
    const { led, onEnded } = options;
    if (!this.isOpen) return;
    led.on('message', (message, socket) => {
      this.#receive(message as FromAccepter, socket as Socket | undefined);
    });
    led.once('disconnect', onEnded);
  }

  /** Whether there is a worker that gives connections to this one. */
  get isOpen(): boolean {
    return this.#options.led.connected === true;
  }

  /** From now on it gives them. */
  ready(): void {
    this.#send({ type: 'ready', form: SHARE_FORM });
  }

  /** The number of open connections has changed. */
  changed(): void {
    if (this.#isReporting || !this.isOpen) return;
    this.#isReporting = true;
    // Sent before anything is read of a connection: it can no longer be given to another worker then.
    setImmediate(() => {
      this.#isReporting = false;
      this.#report();
    });
  }

  /** It is to give no more; `onEnded` follows. */
  leave(): void {
    this.#send({ type: 'leave' });
  }

  #receive(message: FromAccepter, socket: Socket | undefined): void {
    switch (message.type) {
      case 'connection':
        this.#taken = message.n;
        // Its client may have left on the way.
        if (socket) this.#take(socket);
        this.changed();
        return;
      case 'given':
        if (this.#taken < message.n) this.#send({ type: 'missed', n: message.n });
        return;
      case 'last':
        this.#report();
        this.#send({ type: 'done' });
    }
  }

  /** As a server of HTTP makes those that it has accepted. */
  #take(socket: Socket): void {
    socket.allowHalfOpen = true;
    socket.setNoDelay(true);
    this.#options.take(socket);
  }

  #report(): void {
    this.#send({ type: 'open', open: this.#options.open(), taken: this.#taken });
  }

  #send(message: FromTaker): void {
    // It may have ended a moment ago: `onEnded` follows.
    if (this.isOpen) this.#options.led.send?.(message, undefined, undefined, () => {});
  }
}
