/**
 * Shells on a login node that run one script after another, so that a script costs neither a login nor
 * an SSH channel: sshd allows ten of these per connection. A script without an answer ends its shell
 * alone; other scripts and the tunnels of the same connection continue.
 */
import { randomUUID } from 'node:crypto';
import type { Readable, Writable } from 'node:stream';

/** A shell that reads its commands from `stdin`. */
export interface RemoteShell {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  close(): void;
}

export interface ScriptOutput {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const SHELLS = 4;
const IDLE_MS = 60_000;
/** More than the queue of ten thousand jobs, in characters. */
const MAX_OUTPUT = 16 * 1024 * 1024;

export class LoginShells {
  readonly #open: () => Promise<RemoteShell>;
  readonly #idle: { readonly shell: OpenShell; readonly end: NodeJS.Timeout }[] = [];
  readonly #waiting: (() => void)[] = [];
  #used = 0;

  constructor(open: () => Promise<RemoteShell>) {
    this.#open = open;
  }

  /** Rejects if the shell cannot be opened or breaks, or if the time passes. */
  async run(script: string, timeoutMs: number): Promise<ScriptOutput> {
    if (this.#used >= SHELLS) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#used++;
    try {
      const shell = this.#takeIdle() ?? new OpenShell(await this.#open());
      const output = await shell.run(script, timeoutMs);
      this.#keep(shell);
      return output;
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#used--;
    }
  }

  close(): void {
    for (const { shell, end } of this.#idle.splice(0)) {
      clearTimeout(end);
      shell.close();
    }
  }

  #takeIdle(): OpenShell | null {
    for (let last = this.#idle.pop(); last; last = this.#idle.pop()) {
      clearTimeout(last.end);
      if (last.shell.isOpen) return last.shell;
    }
    return null;
  }

  #keep(shell: OpenShell): void {
    const end = setTimeout(() => {
      const at = this.#idle.findIndex((it) => it.shell === shell);
      if (at >= 0) this.#idle.splice(at, 1);
      shell.close();
    }, IDLE_MS).unref();
    this.#idle.push({ shell, end });
  }
}

interface Running {
  readonly mark: string;
  readonly done: (output: ScriptOutput) => void;
  readonly fail: (error: Error) => void;
}

class OpenShell {
  readonly #shell: RemoteShell;
  #stdout = '';
  #stderr = '';
  #running: Running | null = null;
  #isOpen = true;

  constructor(shell: RemoteShell) {
    this.#shell = shell;
    const { stdin, stdout, stderr } = shell;
    stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#onOutput();
    });
    stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#onOutput();
    });
    const onEnd = () => this.#onEnd('the shell on the login node ended');
    for (const stream of [stdin, stdout, stderr]) stream.on('error', onEnd);
    stdout.on('close', onEnd);
    stdout.on('end', onEnd);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  close(): void {
    this.#isOpen = false;
    this.#shell.close();
  }

  async run(script: string, timeoutMs: number): Promise<ScriptOutput> {
    const mark = `dstack-${randomUUID()}`;
    this.#stdout = '';
    this.#stderr = '';
    let limit: NodeJS.Timeout | undefined;
    try {
      return await new Promise<ScriptOutput>((done, fail) => {
        this.#running = { mark, done, fail };
        const late = `no answer within ${timeoutMs / 1000} seconds`;
        limit = setTimeout(() => this.#onEnd(late), timeoutMs);
        this.#shell.stdin.write(marked(script, mark));
      });
    } finally {
      clearTimeout(limit);
      this.#running = null;
    }
  }

  #onOutput(): void {
    if (this.#stdout.length + this.#stderr.length > MAX_OUTPUT) {
      this.#onEnd('the output is too long');
      return;
    }
    if (!this.#running) return;
    const { mark, done } = this.#running;
    // Looks only at the end, because long outputs come in many parts.
    if (!this.#stdout.slice(-mark.length * 4).includes(endOf(mark))) return;
    if (!this.#stderr.slice(-mark.length * 4).includes(endOf(mark))) return;
    const [stdout, code] = between(this.#stdout, mark);
    const [stderr] = between(this.#stderr, mark);
    if (code !== null) done({ code: Number(code), stdout, stderr });
  }

  #onEnd(why: string): void {
    this.close();
    this.#running?.fail(new Error(why));
  }
}

const endOf = (mark: string): string => `\n${mark}.end`;

/**
 * The script in a shell of its own, which leaves the next one nothing: neither its directory nor its
 * variables. Its output lies between two marks, because login shells print greetings.
 */
function marked(script: string, mark: string): string {
  const begin = `printf '%s\\n' ${mark}.begin`;
  const end = `printf '\\n%s %s\\n' ${mark}.end`;
  return `${begin}; ${begin} >&2\n(\n${script}\n) </dev/null; code=$?; ${end} "$code"; ${end} "$code" >&2\n`;
}

function between(output: string, mark: string): readonly [text: string, code: string | null] {
  const begin = `${mark}.begin\n`;
  const from = output.indexOf(begin) + begin.length;
  const to = output.lastIndexOf(endOf(mark));
  const code = /^ (\d+)\n/.exec(output.slice(to + endOf(mark).length))?.[1] ?? null;
  return [output.slice(from, Math.max(from, to)), code];
}
