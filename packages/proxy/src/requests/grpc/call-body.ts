import type { ClientHttp2Stream, ServerHttp2Stream } from 'node:http2';

/** Bytes that are kept, so that a replica that refuses the call can be replaced by another one. */
const MOST_KEPT = 64 * 1024;

/** The body of a call, as the client sends it. */
export class CallBody {
  readonly #client: ServerHttp2Stream;
  /** From the beginning; null = more than is kept. */
  #kept: Buffer[] | null = [];
  #size = 0;
  #ended = false;
  #to: ClientHttp2Stream | null = null;

  constructor(client: ServerHttp2Stream) {
    this.#client = client;
    client.on('data', (chunk: Buffer) => this.#received(chunk));
    client.on('end', () => {
      this.#ended = true;
      this.#to?.end();
    });
    client.pause();
  }

  /** Whether all of it can be sent to another replica. */
  get isComplete(): boolean {
    return this.#kept !== null;
  }

  sendTo(upstream: ClientHttp2Stream): void {
    this.#to = upstream;
    for (const chunk of this.#kept ?? []) upstream.write(chunk);
    if (this.#ended) upstream.end();
    else this.#client.resume();
  }

  /** The replica takes no more of it. */
  stop(): void {
    this.#to = null;
    this.#client.pause();
  }

  /** The answer has begun: no other replica gets the call. */
  forget(): void {
    this.#kept = null;
  }

  #received(chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size > MOST_KEPT) this.#kept = null;
    this.#kept?.push(chunk);
    const to = this.#to;
    if (to === null || to.destroyed || to.write(chunk)) return;
    this.#client.pause();
    to.once('drain', () => {
      if (this.#to === to) this.#client.resume();
    });
  }
}
