import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from '../cli.ts';
import { interrupts } from '../interrupts.ts';
import type { Source } from '../terminal/io.ts';
import type { Sink } from '../terminal/sink.ts';

export interface RunOptions {
  /** Lines typed or piped in; the input ends after them. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly home?: string;
  /** Columns of the terminal behind all three streams; none = pipes. */
  readonly terminal?: number;
  /** ms since the epoch. */
  readonly now?: number;
  /** Called with the function that presses Ctrl-C. */
  readonly onStart?: (pressCtrlC: () => void) => void;
  /** Called after each write, with all output so far. */
  readonly onOutput?: (output: string, pressCtrlC: () => void) => void;
}

export interface RunResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs one command line in this process, like the program, and keeps the output of its streams. */
export async function runCommand(
  argv: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const listeners: Record<string, () => void> = {};
  const { signal, onInterrupt } = interrupts({
    on: (event, listener) => {
      listeners[event] = listener;
    },
    exit: () => {},
  });
  const pressCtrlC = (): void => listeners.SIGINT?.();
  let all = '';
  const sink = (): Sink & { text: string } => {
    const decoder = new TextDecoder();
    const target = {
      text: '',
      isTTY: options.terminal !== undefined,
      columns: options.terminal,
      write(data: string | Uint8Array) {
        const piece = typeof data === 'string' ? data : decoder.decode(data, { stream: true });
        target.text += piece;
        all += piece;
        options.onOutput?.(all, pressCtrlC);
      },
    };
    return target;
  };
  const out = sink();
  const err = sink();
  options.onStart?.(pressCtrlC);
  const home = options.home ?? join(tmpdir(), 'dstack-test-no-such-home');
  const code = await runCli(argv, {
    out,
    err,
    input: inputOf(options),
    env: { COLUMNS: options.terminal ? String(options.terminal) : undefined, ...options.env },
    cwd: options.cwd ?? home,
    home,
    now: () => options.now ?? Date.parse('2026-11-24T16:00:00Z'),
    signal,
    onInterrupt,
  });
  return { code, out: out.text, err: err.text };
}

function inputOf(options: RunOptions): Source {
  return {
    isTTY: options.terminal !== undefined,
    async *[Symbol.asyncIterator]() {
      if (options.input) yield options.input;
    },
  };
}

/** The variables that select a server, so that no configuration file is used. */
export function serverEnv(url: string): Record<string, string> {
  return { DSTACK_SERVER_URL: url, DSTACK_TOKEN: 'secret-token', DSTACK_PROJECT: 'main' };
}

/** Calls `use` with a temporary directory, which is deleted afterwards. */
export async function withDirectory<T>(use: (path: string) => Promise<T>): Promise<T> {
  const path = await mkdtemp(join(tmpdir(), 'dstack-cli-'));
  try {
    return await use(path);
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}
