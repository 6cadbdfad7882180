import { spawnSync } from 'node:child_process';
import type { ExecRequest, ExecSession, TerminalSize } from '@dstack/client';
import type { Cli } from '../context.ts';
import { EXIT } from '../errors.ts';
import { EscapeKeys } from './escape-keys.ts';
import type { JobSockets } from './job-sockets.ts';

export interface CommandInJob extends Pick<ExecRequest, 'argv' | 'command' | 'replica' | 'job'> {
  readonly run: string;
  /** Passes the standard input; without it the command's input is empty. */
  readonly hasInput: boolean;
  /** The command has a terminal of its own, of the size of this one. */
  readonly hasTerminal: boolean;
  /** Default: written unchanged to stdout and stderr. */
  readonly onOutput?: (bytes: Uint8Array, isError: boolean) => void;
}

/** Input that is not sent yet; more is not read. */
const MOST_UNSENT = 1024 * 1024;
const UNSENT_PAUSE_MS = 10;

/**
 * Runs a command in a job with the streams of this process and returns its exit code. The first
 * Ctrl-C goes to the command, the second one disconnects.
 */
export async function runInJob(jobs: JobSockets, command: CommandInJob, cli: Cli): Promise<number> {
  const { run, hasInput, hasTerminal, onOutput = writeTo(cli), ...request } = command;
  const tty = hasTerminal ? { ...sizeOf(cli), term: cli.env.TERM || 'xterm-256color' } : undefined;
  let isHeld = false;
  const session = jobs.exec(run, tty === undefined ? request : { ...request, tty }, {
    onOutput: (bytes, isError) => {
      onOutput(bytes, isError);
      if (isHeld || !cli.io.isBehind()) return;
      // A slow reader of the output holds the command back, instead of filling the memory.
      isHeld = true;
      session.pause();
      void cli.io.drained().then(() => {
        isHeld = false;
        session.resume();
      });
    },
  });
  // Awaited below; leaving early must not be reported as unhandled.
  session.result.catch(() => {});
  const left = Promise.withResolvers<number>();
  const leave = (): void => {
    session.close();
    left.resolve(EXIT.interrupted);
  };
  const release = [onSignals(session, leave, cli)];
  try {
    if (tty !== undefined) release.push(ownTerminal(session, cli));
    if (hasInput) void sendInput(session, tty === undefined ? null : new EscapeKeys(), leave, cli);
    else session.end();
    return await Promise.race([session.result.then(({ status }) => status), left.promise]);
  } finally {
    for (const one of release) one();
  }
}

function writeTo({ io }: Cli): (bytes: Uint8Array, isError: boolean) => void {
  return (bytes, isError) => io.output(bytes, isError ? 'err' : 'out');
}

function onSignals(session: ExecSession, leave: () => void, cli: Cli): () => void {
  let isSecond = false;
  const handle = (signal: 'SIGINT' | 'SIGTERM'): void => {
    if (isSecond) leave();
    else session.signal(signal.slice('SIG'.length));
    isSecond = true;
  };
  return cli.onInterrupt(handle, { terminate: true });
}

/** Typed keys go to the command as they are; its terminal follows the size of this one. */
function ownTerminal(session: ExecSession, { io }: Cli): () => void {
  io.input.setRawMode?.(true);
  keepLineFeeds();
  const stop = io.onResize(() => session.resize(sizeOf({ io })));
  return () => {
    stop();
    io.input.setRawMode?.(false);
  };
}

/**
 * Node's raw mode still turns a line feed into a return and a line feed, which breaks programs that
 * move the cursor down by one.
 */
function keepLineFeeds(): void {
  // Without `stty` (Windows) there is nothing to correct.
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
}

const DEFAULT_SIZE: TerminalSize = { cols: 80, rows: 24 };

function sizeOf({ io }: Pick<Cli, 'io'>): TerminalSize {
  return io.size ?? DEFAULT_SIZE;
}

async function sendInput(
  session: ExecSession,
  escapes: EscapeKeys | null,
  leave: () => void,
  cli: Cli,
): Promise<void> {
  for await (const chunk of cli.io.input) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    const sent = escapes === null ? bytes : escapes.read(bytes);
    if (sent === null) {
      leave();
      return;
    }
    if (sent.byteLength > 0) session.write(sent);
    while (session.bufferedAmount > MOST_UNSENT) await cli.wait(UNSENT_PAUSE_MS);
  }
  session.end();
}
