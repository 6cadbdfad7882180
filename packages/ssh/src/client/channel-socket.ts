import { Duplex } from 'node:stream';

/** The used part of an SSH channel. */
export interface Channel extends Duplex {
  close(): void;
}

/**
 * A connection through SSH that can be handed out before it is open, with the interface of a socket
 * that HTTP clients expect. Destroying it ends it at once; the channel's own end may have to wait
 * for a peer that no longer answers.
 */
export class ChannelSocket extends Duplex {
  readonly #opening: Promise<Channel>;
  #channel: Channel | null = null;
  #timer: NodeJS.Timeout | undefined;
  #timeoutMs = 0;

  constructor(open: () => Promise<Channel>) {
    super();
    this.#opening = open();
    this.#opening.then(
      (channel) => this.#attach(channel),
      (error) => this.destroy(error),
    );
  }

  override _read(): void {
    this.#channel?.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#moved();
    this.#opening.then((channel) => {
      if (channel.write(chunk)) done();
      else channel.once('drain', done);
    }, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#opening.then((channel) => {
      channel.end();
      done();
    }, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    this.#channel?.close();
    done(error);
  }

  /** Milliseconds without a byte after which `timeout` is emitted; 0 = never. */
  setTimeout(ms: number, listener?: () => void): this {
    this.#timeoutMs = ms;
    // A timeout of 0 removes the listener, like that of a socket.
    if (listener && ms === 0) this.off('timeout', listener);
    else if (listener) this.once('timeout', listener);
    this.#moved();
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  #attach(channel: Channel): void {
    this.#channel = channel;
    if (this.destroyed) {
      channel.close();
      return;
    }
    channel.on('data', (chunk: Buffer) => {
      this.#moved();
      if (!this.push(chunk)) channel.pause();
    });
    let hasEnded = false;
    channel.on('end', () => {
      hasEnded = true;
      this.push(null);
    });
    channel.on('close', () => {
      // Bytes that have arrived before an orderly end are still to be read.
      if (!hasEnded || this.readableEnded) this.destroy();
      else this.once('end', () => this.destroy());
    });
    channel.on('error', (error: Error) => this.destroy(error));
    this.emit('connect');
  }

  #moved(): void {
    clearTimeout(this.#timer);
    if (this.#timeoutMs > 0 && !this.destroyed) {
      this.#timer = setTimeout(() => this.emit('timeout'), this.#timeoutMs).unref();
    }
  }
}
