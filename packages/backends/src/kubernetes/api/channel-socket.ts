/** The protocol of exec and port-forward: WebSocket messages whose first byte is a channel. */
import { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { NoAnswerError } from '../../base/errors.ts';

/** Bytes that may wait in a WebSocket before writers have to wait. */
const HIGH_WATER = 1024 * 1024;
/** The WebSocket has ended without a closing handshake (RFC 6455, section 7.1.5). */
const LOST = 1006;

/** Resolves when the WebSocket is open; rejects with the status of a refusal. */
export function opened(socket: WebSocket, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      socket.on('error', () => {});
      socket.terminate();
      reject(new NoAnswerError(`${what}: ${why}`));
    };
    socket.once('open', resolve);
    socket.once('error', (error) => fail(error.message));
    socket.once('unexpected-response', (_request, response) => {
      const parts: Buffer[] = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => {
        const text = Buffer.concat(parts).toString('utf8');
        fail(messageOf(text) ?? `status ${response.statusCode}`);
      });
    });
  });
}

function messageOf(text: string): string | null {
  try {
    return (JSON.parse(text) as { readonly message?: string }).message ?? null;
  } catch {
    return text.slice(0, 200) || null;
  }
}

export interface ChannelStreamOptions {
  readonly socket: WebSocket;
  /** Channel of the bytes in both directions, and of errors. */
  readonly data: number;
  readonly error: number;
  /** Bytes at the beginning of each channel that are not data. */
  readonly skip: number;
  readonly what: string;
}

/** One channel of an open WebSocket as a stream; it ends with the WebSocket. */
export class ChannelStream extends Duplex {
  readonly #options: ChannelStreamOptions;
  #skip: number;

  constructor(options: ChannelStreamOptions) {
    super();
    this.#options = options;
    this.#skip = options.skip;
    const { socket } = options;
    socket.on('message', (message) => this.#received(bytesOf(message)));
    socket.on('close', (code) => this.#closed(code));
    socket.on('error', (error) => this.destroy(error));
  }

  override _read(): void {
    this.#options.socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    const { socket, data } = this.#options;
    socket.send(Buffer.concat([Buffer.of(data), chunk]), (error) => {
      if (socket.bufferedAmount >= HIGH_WATER) done(error ?? null);
    });
    // Without waiting for each message, the next ones fill the same packets.
    if (socket.bufferedAmount < HIGH_WATER) done();
  }

  override _final(done: (error?: Error | null) => void): void {
    // The protocol has no half-closed channels.
    this.#options.socket.close();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#options.socket.terminate();
    done(error);
  }

  #closed(code: number): void {
    if (code === LOST) {
      this.destroy(new NoAnswerError(`${this.#options.what}: the connection was lost`));
      return;
    }
    // Bytes that have arrived before are still to be read.
    this.once('end', () => this.destroy());
    this.push(null);
  }

  #received(message: Buffer): void {
    const { socket, data, error, what } = this.#options;
    const [channel] = message;
    let bytes = message.subarray(1);
    if (channel === error) {
      // The first message repeats the port.
      if (bytes.length > 2) this.destroy(new NoAnswerError(`${what}: ${bytes.toString('utf8')}`));
      return;
    }
    if (channel !== data) return;
    if (this.#skip > 0) {
      const skipped = Math.min(this.#skip, bytes.length);
      this.#skip -= skipped;
      bytes = bytes.subarray(skipped);
    }
    if (bytes.length > 0 && !this.push(bytes)) socket.pause();
  }
}

export function bytesOf(message: RawData): Buffer {
  if (Array.isArray(message)) return Buffer.concat(message);
  return Buffer.isBuffer(message) ? message : Buffer.from(message);
}
