/** How far the copy of the agent to a cluster is, for people. */
import { type Readable, Transform } from 'node:stream';
import type { OnPreparing } from '../base/instance-port.ts';

const MB = 1e6;
/** The least time between two reports. */
const REPORT_MS = 1000;
/** Characters of a name: the table of runs has room for 60 with the amount. */
const NAME_LENGTH = 24;

export class CopyProgress {
  readonly title: string;
  readonly #followers = new Set<OnPreparing>();
  #text: string | null = null;
  #total = 0;
  #sent = 0;
  #reportedAt = 0;
  #isOver = false;

  constructor(hostname: string) {
    const isShort = hostname.length <= NAME_LENGTH;
    const name = isShort ? hostname : `${hostname.slice(0, NAME_LENGTH - 1)}…`;
    this.title = `copying the agent to ${name}`;
  }

  /** Null: nothing has been copied. */
  get text(): string | null {
    return this.#text;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Also with the present text. Returns how to stop it. */
  follow(report: OnPreparing): () => void {
    this.#followers.add(report);
    if (this.#text !== null && !this.#isOver) report(this.#text);
    return () => this.#followers.delete(report);
  }

  /** `total`: bytes that will be copied; 0 = nothing. */
  begin(total: number): void {
    this.#total = total;
    if (total > 0) this.#report();
  }

  end(): void {
    this.#isOver = true;
    this.#followers.clear();
  }

  /** The bytes, counted as they are read. */
  counted(source: Readable): Readable {
    const counter = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        this.#sent += chunk.length;
        if (performance.now() - this.#reportedAt >= REPORT_MS) this.#report();
        done(null, chunk);
      },
    });
    source.on('error', (error) => counter.destroy(error));
    return source.pipe(counter);
  }

  #report(): void {
    this.#reportedAt = performance.now();
    const [sent, total] = [Math.floor(this.#sent / MB), Math.ceil(this.#total / MB)];
    this.#text = `${this.title} (${sent} of ${total} MB)`;
    for (const report of this.#followers) report(this.#text);
  }
}
