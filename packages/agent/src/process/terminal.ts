import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { Duplex } from 'node:stream';
import { ReadStream } from 'node:tty';
import { shellJoin } from '@dstack/contract/shell';

/**
 * How the job's command is connected: by a pseudo-terminal of this process, by one of `script`, or
 * by pipes.
 */
export type TerminalKind = 'pty' | 'script' | 'pipes';

export interface TerminalOptions {
  /** The arguments that start the command together with the program that serves its terminal. */
  readonly before?: readonly string[];
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

export interface TerminalExit {
  /** Exit code; 128 + n after signal n. */
  readonly status: number;
}

export interface Terminal {
  readonly kind: TerminalKind;
  /** The process that leads the job's session. */
  readonly pid: number;
  onData(listener: (bytes: Buffer) => void): void;
  /**
   * Stops reading until `resume`. The command blocks as soon as the buffers in between are full.
   */
  pause(): void;
  resume(): void;
  /** The command has ended; output may still be on its way. */
  readonly exited: Promise<TerminalExit>;
  /** No process has the terminal open any more and all output has been delivered. */
  readonly closed: Promise<void>;
  /** The effect of Ctrl-C: SIGINT to the foreground. */
  interrupt(): void;
  /** Stops reading for good. */
  close(): void;
}

/** An interactive terminal. */
export interface ControlledTerminal extends Terminal {
  /** The input and output of the terminal. Destroying it hangs up. */
  readonly stream: Duplex;
  /** Characters; without effect on a terminal of `script`. */
  resize(cols: number, rows: number): void;
}

interface PtyBinding {
  resize(fd: number, columns: number, rows: number): void;
  fork(
    file: string,
    args: readonly string[],
    env: readonly string[],
    cwd: string,
    columns: number,
    rows: number,
    uid: number,
    gid: number,
    utf8: boolean,
    helper: string,
    onExit: (code: number, signal: number) => void,
  ): { readonly fd: number; readonly pid: number };
}

/**
 * The best terminal of this host. `only` selects one kind, for hosts where another fails. The
 * command's arguments must not depend on it, except that a shell on pipes cannot be interactive.
 */
export function terminalKind(only?: TerminalKind): TerminalKind {
  if (only) return only;
  if (loadBinding()) return 'pty';
  return hasScript() ? 'script' : 'pipes';
}

export function openTerminal(kind: TerminalKind, options: TerminalOptions): Terminal {
  if (kind === 'pty') return openPty(options);
  return kind === 'script' ? openScript(options) : openPipes(options);
}

/** A terminal of this size, in characters; null if the host provides none. */
export function openControlledTerminal(
  kind: TerminalKind,
  options: TerminalOptions & { readonly cols: number; readonly rows: number },
): ControlledTerminal | null {
  if (kind === 'pty') return openPty(options, options.cols, options.rows);
  return kind === 'script' ? openControlledScript(options) : null;
}

/** The native add-on by itself: its wrapper sets TERM and gives up on output 200 ms after the exit. */
function loadBinding(): PtyBinding | null {
  const require = createRequire(import.meta.url);
  const name = `linux-${process.arch}`;
  for (const path of [`@lydell/node-pty-${name}/pty.node`, `./pty-${name}.node`]) {
    try {
      return require(path) as PtyBinding;
    } catch {
      // Not installed, or built for another libc: try the next kind.
    }
  }
  return null;
}

function openPty(options: TerminalOptions, cols = 0, rows = 0): ControlledTerminal {
  const binding = loadBinding();
  if (!binding) throw new Error('no pseudo-terminal binding for this platform');
  const [file = '/bin/sh', ...args] = [...(options.before ?? []), ...options.argv];
  const env = Object.entries(options.env).map(([name, value]) => `${name}=${value}`);
  const exited = Promise.withResolvers<TerminalExit>();
  const closed = Promise.withResolvers<void>();
  const onExit = (code: number, signal: number): void =>
    exited.resolve({ status: signal > 0 ? 128 + signal : code });
  const term = binding.fork(file, args, env, options.cwd, cols, rows, -1, -1, false, '', onExit);
  const stream = new ReadStream(term.fd);
  // The kernel reports EIO when the last process has closed the terminal.
  stream.on('error', () => {});
  stream.on('close', () => closed.resolve());
  return {
    kind: 'pty',
    pid: term.pid,
    stream,
    resize: (toCols, toRows) => {
      if (!stream.destroyed) binding.resize(term.fd, toCols, toRows);
    },
    onData: (listener) => stream.on('data', listener),
    pause: () => stream.pause(),
    resume: () => stream.resume(),
    exited: exited.promise,
    closed: closed.promise,
    interrupt: () => stream.write('\x03'),
    close: () => stream.destroy(),
  };
}

/**
 * util-linux `script` creates the terminal. Its size cannot be set; everything else is the same.
 */
function openScript(options: TerminalOptions): Terminal {
  const child = spawnScript(options, '');
  return ofChild('script', child, () => child.stdin?.write('\x03'));
}

function openControlledScript(
  options: TerminalOptions & { readonly cols: number; readonly rows: number },
): ControlledTerminal {
  const child = spawnScript(options, `stty cols ${options.cols} rows ${options.rows}; `);
  const terminal = ofChild('script', child, () => child.stdin?.write('\x03'));
  const stream = Duplex.from({ writable: child.stdin, readable: child.stdout });
  stream.on('error', () => {});
  // It ignores SIGHUP; on this signal it ends its command first.
  stream.once('close', () => child.kill('SIGTERM'));
  return { ...terminal, stream, resize: () => {} };
}

function spawnScript(options: TerminalOptions, before: string) {
  const command = shellJoin(options.argv);
  const script = ['script', '-qefc', `${before}exec ${command}`, '/dev/null'];
  const [file = 'script', ...args] = [...(options.before ?? []), ...script];
  return spawn(file, args, {
    cwd: options.cwd,
    env: { ...options.env },
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

function openPipes(options: TerminalOptions): Terminal {
  const [file = '/bin/sh', ...args] = [...(options.before ?? []), ...options.argv];
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: { ...options.env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return ofChild('pipes', child, () => {
    if (child.pid) process.kill(-child.pid, 'SIGINT');
  });
}

function ofChild(kind: TerminalKind, child: ChildProcess, interrupt: () => void): Terminal {
  const exited = Promise.withResolvers<TerminalExit>();
  const closed = Promise.withResolvers<void>();
  child.stdin?.on('error', () => {});
  child.on('error', (error) => exited.reject(error));
  child.on('exit', (code, signal) =>
    exited.resolve({ status: code ?? 128 + (signal ? constants.signals[signal] : 0) }),
  );
  child.on('close', () => closed.resolve());
  if (!child.pid) exited.promise.catch(() => closed.resolve());
  return {
    kind,
    pid: child.pid ?? 0,
    onData: (listener) => {
      child.stdout?.on('data', listener);
      child.stderr?.on('data', listener);
    },
    pause: () => {
      child.stdout?.pause();
      child.stderr?.pause();
    },
    resume: () => {
      child.stdout?.resume();
      child.stderr?.resume();
    },
    exited: exited.promise,
    closed: closed.promise,
    interrupt: () => {
      try {
        interrupt();
      } catch {
        // The command has just ended.
      }
    },
    close: () => {
      child.stdout?.destroy();
      child.stderr?.destroy();
    },
  };
}

function hasScript(): boolean {
  const paths = (process.env.PATH ?? '/usr/bin:/bin').split(':');
  return paths.some((dir) => existsSync(`${dir}/script`));
}
