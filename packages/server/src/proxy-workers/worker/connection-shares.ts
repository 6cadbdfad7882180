/** The connections that a worker accepts are shared with the workers that it has started. */
import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { nextTaker } from './connection-turns.ts';
import { type FromAccepter, type FromTaker, SHARE_FORM } from './share-messages.ts';

export interface ConnectionSharesOptions {
  /** Open connections of this worker itself. */
  readonly own: () => number;
  /** Serves a connection here. */
  readonly take: (socket: Socket) => void;
}

/**
 * Node passes one connection at a time, and the next one after a turn of both processes: of hundreds that come at once
 * while both are busy, the last would wait for seconds.
 */
const MOST_UNTAKEN = 32;

/**
 * A worker that has taken none of its connections for so long (ms) gets no more until it does: it may stand still, and its
 * clients would wait until it is ended.
 */
const PROMPT_MS = 250;

export class ConnectionShares {
  readonly #options: ConnectionSharesOptions;
  readonly #takers = new Set<Taker>();
  #last = 0;
  #isClosed = false;

  constructor(options: ConnectionSharesOptions) {
    this.#options = options;
  }

  /** Connections that other workers have not taken yet. */
  get untaken(): number {
    return [...this.#takers].reduce((sum, { untaken }) => sum + untaken, 0);
  }

  /** A worker with a channel to this process. It gets connections as soon as it is ready. */
  add(child: ChildProcess): void {
    if (this.#isClosed) {
      child.disconnect();
      return;
    }
    const taker = new Taker(child, {
      // A connection of which nothing was read is as good as a new one.
      onReturned: (socket) => this.give(socket),
      onEnded: () => this.#takers.delete(taker),
    });
    this.#takers.add(taker);
  }

  /** A connection that was accepted, and of which nothing was read. */
  give(socket: Socket): void {
    const takers = [...this.#takers].filter(
      ({ isReady, isPrompt, untaken }) => isReady && isPrompt && untaken < MOST_UNTAKEN,
    );
    const counts = [this.#options.own(), ...takers.map(({ count }) => count)];
    this.#last = nextTaker(counts, this.#last);
    const taker = takers[this.#last - 1];
    if (taker) taker.give(socket);
    else this.#options.take(socket);
  }

  /** Gives no more connections to others: they accept them themselves. */
  close(): void {
    this.#isClosed = true;
    for (const taker of this.#takers) taker.dismiss();
  }
}

interface TakerEvents {
  /** The worker did not take this connection. */
  readonly onReturned: (socket: Socket) => void;
  readonly onEnded: () => void;
}

/** The channel of a process that has exited is read to its end within this time, in milliseconds. */
const CHANNEL_MS = 5;

/** A worker that a connection did not reach, as it can open no more files, gets none for this time, in milliseconds. */
const FULL_MS = 1000;

/** A worker that was started by this one. */
class Taker {
  readonly #child: ChildProcess;
  readonly #events: TakerEvents;
  /** Connections that it has not taken, by number: a copy of each stays open here until then. */
  readonly #given = new Map<number, Socket>();
  #number = 0;
  #open = 0;
  #isReady = false;
  #isFullUntil = 0;
  /** When it has last taken some of the connections, or has got the first one that it has not taken. */
  #promptAt = 0;

  constructor(child: ChildProcess, events: TakerEvents) {
    this.#child = child;
    this.#events = events;
    child.on('message', (message) => this.#receive(message as FromTaker));
    // All messages that it sent before its end were received by then.
    child.once('disconnect', () => this.#ended());
    // Node reports no end of a channel on which a connection is on its way.
    child.once('exit', () => this.#exited());
    child.on('error', () => {});
  }

  get isReady(): boolean {
    return this.#isReady && performance.now() >= this.#isFullUntil;
  }

  get untaken(): number {
    return this.#given.size;
  }

  get isPrompt(): boolean {
    return this.#given.size === 0 || performance.now() - this.#promptAt < PROMPT_MS;
  }

  get count(): number {
    return this.#open + this.#given.size;
  }

  give(socket: Socket): void {
    this.#number += 1;
    const n = this.#number;
    if (this.#given.size === 0) this.#promptAt = performance.now();
    this.#given.set(n, socket);
    const message: FromAccepter = { type: 'connection', n };
    this.#child.send(message, socket, { keepOpen: true }, (error) => {
      if (error === null) return;
      this.#isReady = false;
      this.#return(n);
    });
    this.#child.send({ type: 'given', n } satisfies FromAccepter);
  }

  /** Gives it no more. */
  dismiss(): void {
    if (!this.#child.connected) return;
    // One of another form, or one that is being started, has got nothing.
    if (this.#number === 0) this.#child.disconnect();
    else if (this.#isReady) this.#child.send({ type: 'last' } satisfies FromAccepter);
    this.#isReady = false;
  }

  #receive(message: FromTaker): void {
    switch (message.type) {
      case 'ready':
        if (message.form === SHARE_FORM) this.#isReady = true;
        else this.#child.disconnect();
        return;
      case 'open':
        this.#open = message.open;
        this.#forget(message.taken);
        return;
      case 'missed':
        this.#isFullUntil = performance.now() + FULL_MS;
        this.#return(message.n);
        return;
      case 'leave':
        this.#isReady = false;
        this.#child.send({ type: 'last' } satisfies FromAccepter);
        return;
      case 'done':
        this.#child.disconnect();
    }
  }

  /** The worker has taken the connections up to this number. */
  #forget(taken: number): void {
    for (const [n, socket] of this.#given) {
      if (n > taken) return;
      this.#promptAt = performance.now();
      this.#given.delete(n);
      socket.destroy();
    }
  }

  #return(n: number): void {
    const socket = this.#given.get(n);
    if (this.#given.delete(n) && socket) this.#events.onReturned(socket);
  }

  #exited(): void {
    if (this.#child.connected) setTimeout(() => this.#exited(), CHANNEL_MS);
    else this.#ended();
  }

  #ended(): void {
    this.#isReady = false;
    this.#events.onEnded();
    const returned = [...this.#given.values()];
    this.#given.clear();
    for (const socket of returned) this.#events.onReturned(socket);
  }
}
