import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { shellJoin } from '@dstack/contract/shell';
import type { Installation } from '@dstack/testkit';

/** A command in a terminal, with a user who types. */
export class Terminal {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #text = '';
  #wake: () => void = () => {};

  constructor(home: Installation, args: readonly string[], dstack: string) {
    // A shell in between would receive Ctrl-C too; not every shell replaces itself by the last
    // command.
    const line = `exec ${shellJoin([dstack, ...args])}`;
    this.#child = spawn('script', ['-qfec', line, '/dev/null'], {
      cwd: home.home,
      env: { ...home.env, TERM: 'xterm' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    // The command may end while the user types.
    this.#child.stdin?.on('error', () => {});
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      this.#text += chunk;
      this.#wake();
    });
    this.#ended = once(this.#child, 'close').then(([code]) => {
      this.#wake();
      return code;
    });
  }

  get text(): string {
    return this.#text;
  }

  type(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  pressCtrlC(): void {
    this.type('\x03');
  }

  /** Waits for text on the screen after the previous match; returns the match. */
  async until(pattern: RegExp, from = 0): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#text.slice(from));
      if (match) return match;
      if (this.#child.exitCode !== null) throw new Error(`ended without ${pattern}: ${this.#text}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Ends the command like closing its window does, unless it has ended. */
  async close(): Promise<void> {
    if (this.#child.exitCode === null) this.#child.kill('SIGHUP');
    await this.#ended;
  }

  /** Exit code of the command. */
  end(): Promise<number | null> {
    return this.#ended;
  }
}
