/** A client that sends arbitrary bytes: HTTP that no library would write. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export class RawConnection {
  readonly #socket: Socket;
  #received = '';
  #isClosed = false;
  #onChange = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (bytes) => {
      this.#received += bytes.toString('latin1');
      this.#onChange();
    });
    // Tests ignore how it ended.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#isClosed = true;
      this.#onChange();
    });
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = connect(port, '127.0.0.1');
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new RawConnection(socket);
  }

  /** Lines of a head, including the empty one at its end. */
  head(...lines: readonly string[]): this {
    return this.send(`${lines.join('\r\n')}\r\n\r\n`);
  }

  send(bytes: string | Buffer): this {
    this.#socket.write(bytes);
    return this;
  }

  /** Resolves with everything received once it contains the text, or at the connection's end. */
  async until(text: string): Promise<string> {
    while (!this.#received.includes(text) && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
    }
    return this.#received;
  }

  /** Everything received until the server has closed the connection. */
  async untilClosed(): Promise<string> {
    while (!this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
    }
    return this.#received;
  }

  /** Everything received until the server has sent its last byte; it may still read. */
  async untilEnd(): Promise<string> {
    if (!this.#socket.readableEnded) await once(this.#socket, 'end');
    return this.#received;
  }

  /** Bytes that the system has not accepted yet, because the server does not read. */
  get unsent(): number {
    return this.#socket.writableLength;
  }

  async untilSent(): Promise<void> {
    while (this.#socket.writableLength > 0) await once(this.#socket, 'drain');
  }

  forget(): void {
    this.#received = '';
  }

  close(): void {
    this.#socket.destroy();
  }
}
