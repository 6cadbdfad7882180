import type { Io } from './io.ts';
import { textWidth } from './text-width.ts';

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 80;

/**
 * A block at the bottom of the terminal that is redrawn in place: a spinner line and what is below
 * it. It is taken away by `stop`. Where stderr is no terminal nothing is drawn at all.
 */
export class LiveBlock {
  readonly #io: Io;
  readonly #active: boolean;
  #timer: NodeJS.Timeout | null = null;
  #frame = 0;
  #title = '';
  #body = '';
  #drawn = 0;

  constructor(io: Io) {
    this.#io = io;
    this.#active = io.err.isTTY === true;
  }

  get active(): boolean {
    return this.#active;
  }

  show(title: string, body = ''): void {
    this.#title = title;
    this.#body = body;
    if (!this.#active) return;
    if (this.#timer === null) {
      this.#io.err.write('\u001b[?25l');
      this.#timer = setInterval(() => this.#draw(), FRAME_MS);
      // A forgotten block must not keep the process alive.
      this.#timer.unref();
    }
    this.#draw();
  }

  stop(): void {
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
    this.#erase();
    this.#io.err.write('\u001b[?25h');
  }

  #draw(): void {
    this.#frame = (this.#frame + 1) % FRAMES.length;
    const spinner = this.#io.paintErr('progress', FRAMES[this.#frame] ?? '');
    const text = `${spinner} ${this.#title}\n${this.#body}`;
    this.#erase();
    this.#io.err.write(text.endsWith('\n') ? text : `${text}\n`);
    const width = this.#io.err.columns ?? 80;
    const lines = text.replace(/\n$/, '').split('\n');
    this.#drawn = lines.reduce((n, l) => n + Math.max(1, Math.ceil(textWidth(l) / width)), 0);
  }

  #erase(): void {
    if (this.#drawn > 0) this.#io.err.write(`\u001b[${this.#drawn}A\r\u001b[J`);
    this.#drawn = 0;
  }
}

/** Shows a spinner with `title` while `work` runs. */
export async function withSpinner<T>(io: Io, title: string, work: () => Promise<T>): Promise<T> {
  const block = new LiveBlock(io);
  block.show(title);
  try {
    return await work();
  } finally {
    block.stop();
  }
}
