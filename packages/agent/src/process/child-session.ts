import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { OutputSink, SessionProcess } from '../executor/session-host.ts';

export interface ChildPipes {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
}

/** A child process without a terminal. */
export class ChildSession implements SessionProcess {
  readonly #child: ChildProcess;
  readonly #pipes: ChildPipes;
  readonly #exit: Promise<number | string>;

  constructor(child: ChildProcess, pipes: ChildPipes) {
    this.#child = child;
    this.#pipes = pipes;
    this.#exit = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => resolve(signal ? signal.slice(3) : (code ?? 1)));
    });
    this.#exit.catch(() => {});
  }

  get stdin(): Writable {
    return this.#pipes.stdin;
  }

  async run(sink: OutputSink): Promise<number | string> {
    const { stdout, stderr } = this.#pipes;
    await Promise.all([pump(stdout, sink, false), pump(stderr, sink, true)]);
    return this.#exit;
  }

  resize(): void {}

  signal(name: string): void {
    if (this.#child.pid !== undefined) signalGroup(this.#child.pid, name);
  }

  hangUp(): void {
    for (const pipe of [this.#pipes.stdin, this.#pipes.stdout, this.#pipes.stderr]) pipe.destroy();
    this.#child.unref();
  }
}

async function pump(source: Readable, sink: OutputSink, isError: boolean): Promise<void> {
  try {
    for await (const bytes of source) await sink(bytes, isError);
  } catch {
    // Closed because the client has disconnected.
  }
}

/** Each command of a session leads its own process group. */
export function signalGroup(pid: number, name: string): void {
  try {
    process.kill(-pid, `SIG${name}` as NodeJS.Signals);
  } catch {
    // The process has ended, or the client sent an unknown signal.
  }
}
