import type { Io } from './io.ts';

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 80;

/**
 * A block at the bottom of the terminal that is redrawn in place: a spinner and the lines below it.
 * `stop` erases it. If stderr is not a terminal, nothing is drawn.
 */
export class LiveBlock {
  readonly #io: Io;
  #timer: NodeJS.Timeout | null = null;
  #frame = 0;
  #title: string | (() => string) = '';
  #body = '';

  constructor(io: Io) {
    this.#io = io;
  }

  get active(): boolean {
    return this.#io.redrawnErr !== null;
  }

  /** A function is called for each frame. */
  show(title: string | (() => string), body = ''): void {
    this.#title = title;
    this.#body = body;
    if (!this.active) return;
    if (this.#timer === null) {
      this.#io.redrawnErr?.showCursor(false);
      this.#timer = setInterval(() => this.#draw(), FRAME_MS);
      // A block that was not stopped must not keep the process alive.
      this.#timer.unref();
    }
    this.#draw();
  }

  stop(): void {
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
    this.#io.redrawnErr?.erase();
    this.#io.redrawnErr?.showCursor(true);
  }

  #draw(): void {
    this.#frame = (this.#frame + 1) % FRAMES.length;
    const spinner = this.#io.paintErr('progress', FRAMES[this.#frame] ?? '');
    const title = typeof this.#title === 'string' ? this.#title : this.#title();
    this.#io.redrawnErr?.draw(`${spinner} ${title}\n${this.#body}`);
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
