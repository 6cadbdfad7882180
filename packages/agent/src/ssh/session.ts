import { constants } from 'node:os';
import { errorMessage } from '@dstack/contract/error-message';
import type { Connection, ServerChannel, Session } from 'ssh2';
import { SessionRefusal, type Terminal } from '../executor/session-host.ts';
import type { Identity } from './authentication.ts';
import { RIGHTS } from './authorized-keys.ts';

/** What a client wants to run in the job. The channel is its standard input, output and error. */
export interface SessionRequest {
  readonly kind: 'shell' | 'exec' | 'subsystem';
  /** The command line (to be given to a shell as it is), or the name of the subsystem. */
  readonly command: string | null;
  readonly identity: Identity;
  /** Variables of the client that are let through: language and colours. */
  readonly env: Readonly<Record<string, string>>;
  readonly terminal: Terminal | null;
  /** Whether the client offers its keys to programs of the session (`ssh -A`). */
  readonly forwardsAgent: boolean;
  readonly client: Connection;
  readonly channel: ServerChannel;
  /** Fulfilled when the client has closed the channel or is gone. */
  readonly hungUp: Promise<void>;
  /** Calls back with each new size of the terminal. */
  onResize(listener: (size: { readonly cols: number; readonly rows: number }) => void): void;
  /** Calls back with the names of signals, without `SIG`. */
  onSignal(listener: (name: string) => void): void;
  /** Reports how it ended (exit code, or name of the signal) and closes the channel. */
  exit(status: number | string): void;
}

/** Runs a request; a rejection is told to the client. */
export type RunSession = (request: SessionRequest) => Promise<void>;

const PASSED_ENV = /^(LANG|LC_[A-Z]+|COLORTERM|NO_COLOR)$/;

/** What `ssh -tt` with no terminal behind it asks for is 0 by 0. */
const DEFAULT_SIZE = { cols: 80, rows: 24 };

/** Signals that the protocol has names for. */
const NAMED_SIGNALS: ReadonlySet<string> = new Set(
  'ABRT ALRM FPE HUP ILL INT KILL PIPE QUIT SEGV TERM USR1 USR2'.split(' '),
);

const NO_SESSIONS =
  'This job takes port forwards, but no commands or shells over SSH.\r\n' +
  'Use `dstack attach` to see its output and reach its ports.\r\n';

/** Serves one session channel; without `run` every command is refused with a message. */
export function serveSession(
  session: Session,
  client: Connection,
  identity: Identity,
  run: RunSession | null,
): void {
  const hungUp = new Promise<void>((resolve) => {
    const hangUp = () => {
      client.off('close', hangUp);
      resolve();
    };
    session.once('close', hangUp);
    // A channel whose input nobody reads hears nothing of a lost connection.
    client.once('close', hangUp);
  });
  let forwardsAgent = false;
  const env: Record<string, string> = {};
  let terminal: Terminal | null = null;
  let resized: Parameters<SessionRequest['onResize']>[0] = () => {};
  let signalled: Parameters<SessionRequest['onSignal']>[0] = () => {};

  // For requests that want no answer ssh2 passes no function.
  const reply = (answer: (() => void) | undefined) => answer?.();
  session.on('env', (accept, reject, { key, val }) => {
    const passed = PASSED_ENV.test(key);
    if (passed) env[key] = val;
    reply(passed ? accept : reject);
  });
  session.on('pty', (accept, _, { term, cols, rows }) => {
    terminal = { term: term || 'xterm', ...sizeOf(cols, rows) };
    reply(accept);
  });
  session.on('window-change', (accept, _, { cols, rows }) => {
    const size = sizeOf(cols, rows);
    if (terminal) terminal = { ...terminal, ...size };
    resized(size);
    reply(accept);
  });
  session.on('signal', (accept, _, { name }) => {
    signalled(name);
    reply(accept);
  });

  session.on('auth-agent', (accept, reject) => {
    forwardsAgent = RIGHTS[identity.owner].listens;
    reply(forwardsAgent ? accept : reject);
  });

  const start = (kind: SessionRequest['kind'], channel: ServerChannel, command: string | null) => {
    channel.on('error', () => {});
    const request: SessionRequest = {
      kind,
      command,
      identity,
      env,
      terminal,
      forwardsAgent,
      client,
      channel,
      hungUp,
      onResize: (listener) => {
        resized = listener;
      },
      onSignal: (listener) => {
        signalled = listener;
      },
      exit: (status) => exit(channel, status),
    };
    void (run ?? refuse)(request).catch((error: unknown) => {
      const message = errorMessage(error);
      channel.stderr.write(`${message}\r\n`);
      exit(channel, error instanceof SessionRefusal ? error.status : 1);
    });
  };
  session.on('shell', (accept) => start('shell', accept(), null));
  session.on('exec', (accept, _, { command }) => start('exec', accept(), command));
  session.on('subsystem', (accept, _, { name }) => start('subsystem', accept(), name));
}

async function refuse(request: SessionRequest): Promise<void> {
  request.channel.stderr.write(NO_SESSIONS);
  request.exit(1);
}

function exit(channel: ServerChannel, status: number | string): void {
  if (typeof status === 'number') channel.exit(status);
  else if (NAMED_SIGNALS.has(status)) channel.exit(status);
  else channel.exit(128 + (constants.signals[`SIG${status}` as NodeJS.Signals] ?? 0));
  channel.end();
}

function sizeOf(cols: number, rows: number): { readonly cols: number; readonly rows: number } {
  return { cols: cols || DEFAULT_SIZE.cols, rows: rows || DEFAULT_SIZE.rows };
}
