/** Two ends of a WebSocket, joined byte by byte, which can still be ended as the protocol wants it. */
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';

/** Two connections that have become one. */
export interface JoinedSocket {
  /** Resolves when both are closed. */
  readonly over: Promise<void>;
  /** Tells both ends why (RFC 6455 §7.4), between two frames, and closes them. */
  end(code: number): void;
  destroy(): void;
}

/** The end of a frame, and then the other side's farewell, are waited for this long, in ms. */
const FAREWELL_MS = 1000;

/** The server goes, and the client may come again; the client may not be here. */
export const GOING_AWAY = 1001;
export const POLICY_VIOLATION = 1008;

export interface End {
  readonly stream: Duplex;
  /** What came from there along with the handshake. */
  readonly head: Buffer;
}

export function joinSockets(client: End, app: End): JoinedSocket {
  const [a, b] = [client.stream, app.stream];
  // Frames are masked on their way to the app.
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
      const limit = setTimeout(destroy, FAREWELL_MS);
      void over.then(() => clearTimeout(limit));
    },
    destroy,
  };
}

/** Where one side is cut off, the other is. */
function closed(one: Duplex, other: Duplex): Promise<void> {
  one.once('error', () => other.destroy());
  return new Promise((resolve) => {
    one.once('close', () => {
      if (!one.readableEnded) other.destroy();
      resolve();
    });
  });
}

/** Bytes on their way from one end to the other. */
class Direction {
  readonly #from: Duplex;
  readonly #to: Duplex;
  readonly #isMasked: boolean;
  readonly #frames = new Frames();
  /** With which code it is to end; null = it goes on. */
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
    // Read on, so that the other side's farewell does not keep the connection open.
    this.#from.resume();
  }
}

/** Where frames begin and end: their heads are read, their contents are not. */
class Frames {
  readonly #head: number[] = [];
  /** Bytes of the present frame that are still to come. */
  #left = 0;

  get isBetween(): boolean {
    return this.#left === 0 && this.#head.length === 0;
  }

  /** Answers the chunk's length. */
  follow(chunk: Buffer): number {
    for (let at = 0; at < chunk.length; ) at = this.#step(chunk, at);
    return chunk.length;
  }

  /** Answers how much of the chunk belongs to the frame that has begun; does not begin another one. */
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

/** Null: the head goes on. */
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
