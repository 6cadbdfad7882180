/** Joins a client and an app byte by byte, and can still close both with a WebSocket close frame. */
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';

/** The joined connections of a client and an app. */
export interface JoinedSocket {
  /** Resolves when both connections are closed. */
  readonly over: Promise<void>;
  /** Sends both a close frame with the code (RFC 6455 §7.4) between two frames, and closes them. */
  end(code: number): void;
  destroy(): void;
}

/** Time for the present frame to end and for both sides to close, in ms. */
const CLOSING_MS = 1000;

/** Codes of RFC 6455: the server shuts down; the client's access is revoked. */
export const GOING_AWAY = 1001;
export const POLICY_VIOLATION = 1008;

export interface End {
  readonly stream: Duplex;
  /** Bytes that followed the handshake at once. */
  readonly head: Buffer;
}

export function joinSockets(client: End, app: End): JoinedSocket {
  const [a, b] = [client.stream, app.stream];
  // Frames to the app must be masked.
  const directions = [new Direction(a, b, true), new Direction(b, a, false)];
  const over = Promise.all([closed(a, b), closed(b, a)]).then(() => {});
  if (client.head.length > 0) directions[0]?.push(client.head);
  if (app.head.length > 0) directions[1]?.push(app.head);
  const destroy = () => {
    a.destroy();
    b.destroy();
  };
  return {
    over,
    end(code) {
      for (const direction of directions) direction.end(code);
      const limit = setTimeout(destroy, CLOSING_MS);
      void over.then(() => clearTimeout(limit));
    },
    destroy,
  };
}

/** Cuts off the other side when one is cut off. */
function closed(one: Duplex, other: Duplex): Promise<void> {
  one.once('error', () => other.destroy());
  return new Promise((resolve) => {
    one.once('close', () => {
      if (!one.readableEnded) other.destroy();
      resolve();
    });
  });
}

/** Copies bytes from one side to the other. */
class Direction {
  readonly #from: Duplex;
  readonly #to: Duplex;
  readonly #isMasked: boolean;
  readonly #frames = new Frames();
  /** Code of the close frame to send at the end of the present frame; null = none. */
  #code: number | null = null;

  constructor(from: Duplex, to: Duplex, isMasked: boolean) {
    [this.#from, this.#to, this.#isMasked] = [from, to, isMasked];
    from.on('data', (chunk: Buffer) => this.push(chunk));
    from.once('end', () => to.end());
    to.on('drain', () => from.resume());
  }

  push(chunk: Buffer): void {
    if (!this.#to.writable) return;
    const part = this.#code === null ? this.#frames.follow(chunk) : this.#frames.finish(chunk);
    if (!this.#to.write(chunk.subarray(0, part))) this.#from.pause();
    this.#endBetweenFrames();
  }

  end(code: number): void {
    this.#code ??= code;
    this.#endBetweenFrames();
  }

  #endBetweenFrames(): void {
    if (this.#code === null || !this.#frames.isBetween || !this.#to.writable) return;
    this.#to.end(closeFrame(this.#code, this.#isMasked));
    // Keeps reading, so that the close frame of the other side is consumed.
    this.#from.resume();
  }
}

/** Finds the boundaries of frames by reading their headers. */
class Frames {
  readonly #head: number[] = [];
  /** Bytes that are missing from the present frame. */
  #left = 0;

  get isBetween(): boolean {
    return this.#left === 0 && this.#head.length === 0;
  }

  /** Reads the whole chunk; returns its length. */
  follow(chunk: Buffer): number {
    for (let at = 0; at < chunk.length; ) at = this.#step(chunk, at);
    return chunk.length;
  }

  /** Reads the chunk up to the end of the present frame; returns how far. */
  finish(chunk: Buffer): number {
    let at = 0;
    while (at < chunk.length && !this.isBetween) at = this.#step(chunk, at);
    return at;
  }

  #step(chunk: Buffer, at: number): number {
    if (this.#left > 0) {
      const taken = Math.min(this.#left, chunk.length - at);
      this.#left -= taken;
      return at + taken;
    }
    this.#head.push(chunk[at] ?? 0);
    const length = contentLength(this.#head);
    if (length !== null) {
      this.#left = length;
      this.#head.length = 0;
    }
    return at + 1;
  }
}

/** Null while the header is incomplete. */
function contentLength(head: readonly number[]): number | null {
  const second = head[1];
  if (second === undefined) return null;
  const short = second & 0x7f;
  const extra = short === 127 ? 8 : short === 126 ? 2 : 0;
  const mask = second & 0x80 ? 4 : 0;
  if (head.length < 2 + extra + mask) return null;
  if (extra === 0) return short;
  return head.slice(2, 2 + extra).reduce((length, byte) => length * 256 + byte, 0);
}

function closeFrame(code: number, isMasked: boolean): Buffer {
  const content = Buffer.from([code >> 8, code & 0xff]);
  if (!isMasked) return Buffer.concat([Buffer.from([0x88, content.length]), content]);
  const mask = randomBytes(4);
  const masked = content.map((byte, i) => byte ^ (mask[i] ?? 0));
  return Buffer.concat([Buffer.from([0x88, 0x80 | content.length]), mask, masked]);
}
