import { constants } from 'node:os';
import { errorMessage } from '@dstack/contract/error-message';
import type { Connection, ServerChannel, Session } from 'ssh2';
import { SessionRefusal, type SessionTerminal } from '../executor/session-host.ts';
import { RIGHTS, type SshIdentity } from './authorized-keys.ts';

/**
 * A client's request to run something in the job. The channel is its standard input, output and
 * error.
 */
export interface SessionRequest {
  readonly kind: 'shell' | 'exec' | 'subsystem';
  /** The command line (passed to a shell unchanged), or the name of the subsystem. */
  readonly command: string | null;
  readonly identity: SshIdentity;
  /** Variables of the client that are accepted: language and colours. */
  readonly env: Readonly<Record<string, string>>;
  readonly terminal: SessionTerminal | null;
  /** Whether the client offers its keys to programs of the session (`ssh -A`). */
  readonly forwardsAgent: boolean;
  readonly client: Connection;
  readonly channel: ServerChannel;
  /** Resolves when the client has closed the channel or disconnected. */
  readonly hungUp: Promise<void>;
  /** Calls `listener` with each new size of the terminal. */
  onResize(listener: (size: { readonly cols: number; readonly rows: number }) => void): void;
  /** Calls `listener` with the names of signals, without `SIG`. */
  onSignal(listener: (name: string) => void): void;
  /** Reports how it ended (exit code, or name of the signal) and closes the channel. */
  exit(status: number | string): void;
}

/** Runs a request. A rejection is reported to the client. */
export type RunSession = (request: SessionRequest) => Promise<void>;

const PASSED_ENV = /^(LANG|LC_[A-Z]+|COLORTERM|NO_COLOR)$/;

/** `ssh -tt` without a terminal requests 0 by 0. */
const DEFAULT_SIZE = { cols: 80, rows: 24 };

/** Signals with a name in the protocol. */
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
  identity: SshIdentity,
  run: RunSession | null,
): void {
  const hungUp = new Promise<void>((resolve) => {
    const hangUp = () => {
      client.off('close', hangUp);
      resolve();
    };
    session.once('close', hangUp);
    // A channel whose input is not read does not notice a lost connection.
    client.once('close', hangUp);
  });
  let forwardsAgent = false;
  const env: Record<string, string> = {};
  let terminal: SessionTerminal | null = null;
  let resized: Parameters<SessionRequest['onResize']>[0] = () => {};
  let signalled: Parameters<SessionRequest['onSignal']>[0] = () => {};

  // ssh2 passes no function for requests without an answer.
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
