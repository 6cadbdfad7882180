import { ClientError, ConnectionError, errorFromAnswer } from '../errors.ts';
import type { Transport } from '../transport.ts';
import type { WebSocketLike } from '../web-socket.ts';

/** The job of a run; without `replica`, the first replica that runs. */
export interface JobReference {
  readonly replica?: number;
  /** The node; default 0. */
  readonly job?: number;
}

export interface TerminalSize {
  /** Characters. */
  readonly cols: number;
  readonly rows: number;
}

/** `argv` is started unchanged, `command` by the job's shell; with neither, a login shell. */
export interface ExecRequest extends JobReference {
  readonly argv?: readonly string[];
  readonly command?: string;
  /** Without it, standard output and error are separate. */
  readonly tty?: TerminalSize & { readonly term: string };
  readonly env?: Readonly<Record<string, string>>;
  /** A name in the job; default the job's own user. */
  readonly user?: string;
}

export interface ExecListener {
  readonly onStarted?: () => void;
  readonly onOutput: (bytes: Uint8Array, isError: boolean) => void;
}

/** `status` is 128 + the number of the signal that ended the command, if one did. */
export interface ExecResult {
  readonly status: number;
  /** Name without `SIG`; null: it has exited. */
  readonly signal: string | null;
}

/** A command in a job. */
export interface ExecSession {
  write(bytes: Uint8Array | string): void;
  /** The end of standard input. */
  end(): void;
  resize(size: TerminalSize): void;
  /** Name without `SIG`. */
  signal(name: string): void;
  /** Disconnects, which ends the command. */
  close(): void;
  /** Receives no output until `resume`; the command waits meanwhile. Without effect in browsers. */
  pause(): void;
  resume(): void;
  /** Bytes of input that were not sent yet. */
  readonly bufferedAmount: number;
  /**
   * Rejects with `JobSocketError`, or with `ApiError` or `ConnectionError` if there was no
   * connection; browsers and `globalWebSocket` report every refusal as `ConnectionError`.
   */
  readonly result: Promise<ExecResult>;
}

export interface PortTunnel {
  write(bytes: Uint8Array): void;
  close(): void;
  /** These work like the members of `ExecSession`. */
  pause(): void;
  resume(): void;
  readonly bufferedAmount: number;
  /** Resolves when the connection is open, rejects like `closed`. */
  readonly opened: Promise<void>;
  /** Resolves when either side has closed it; rejects with `JobSocketError` or `ConnectionError`. */
  readonly closed: Promise<void>;
}

/** The server explains why there is no connection to the job any more. */
export class JobSocketError extends ClientError {
  override readonly name = 'JobSocketError';
  /** `not_running`, `unknown_job`, `unreachable`, `refused`, `port_refused`, `revoked`, `idle`, … */
  readonly code: string;

  constructor(code: string, message: string, request: string) {
    super(message, request);
    this.code = code;
  }
}

const STDIN = 0;
const STDERR = 2;

/** Bytes of input in one message; the server accepts 1 MiB. */
const MOST_INPUT = 512 * 1024;

/** Commands in running jobs, and connections to their ports. */
export function jobSocketsOf(transport: Transport, base: string) {
  const open = (run: string, kind: string, query: Readonly<Record<string, number | undefined>>) =>
    transport.webSocket(`${base}/runs/${encodeURIComponent(run)}/${kind}`, query);
  return {
    exec(run: string, request: ExecRequest, listener: ExecListener): ExecSession {
      const { replica, job, tty, ...command } = request;
      const { socket, name } = open(run, 'exec', { replica, job });
      const start = { type: 'start', ...command, tty: tty ?? null };
      return execSession(socket, start, listener, new Failures(socket, transport.baseUrl, name));
    },
    port(
      run: string,
      port: number,
      { replica, job }: JobReference,
      onData: (bytes: Uint8Array) => void,
    ): PortTunnel {
      const { socket, name } = open(run, 'port', { port, replica, job });
      return portTunnel(socket, onData, new Failures(socket, transport.baseUrl, name));
    },
  };
}

function execSession(
  socket: WebSocketLike,
  start: object,
  listener: ExecListener,
  failures: Failures,
): ExecSession {
  const result = Promise.withResolvers<ExecResult>();
  const sending = new Sending(socket);
  sending.message(start);
  onMessages(socket, failures, {
    onBytes: (bytes) => listener.onOutput(bytes.subarray(1), bytes[0] === STDERR),
    onText: (message) => {
      if (message.type === 'started') listener.onStarted?.();
      if (message.type === 'exit') result.resolve(message as unknown as ExecResult);
    },
  });
  socket.addEventListener('close', ({ code }) => result.reject(failures.of(code)));
  return {
    write: (input) => sending.bytes(input, STDIN),
    end: () => sending.message({ type: 'eof' }),
    resize: ({ cols, rows }) => sending.message({ type: 'resize', cols, rows }),
    signal: (name) => sending.message({ type: 'signal', name }),
    close: () => socket.close(),
    pause: () => socket.pause?.(),
    resume: () => socket.resume?.(),
    get bufferedAmount() {
      return socket.bufferedAmount;
    },
    result: result.promise.then(({ status, signal }) => ({ status, signal })),
  };
}

function portTunnel(
  socket: WebSocketLike,
  onData: (bytes: Uint8Array) => void,
  failures: Failures,
): PortTunnel {
  const opened = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const sending = new Sending(socket);
  onMessages(socket, failures, { onBytes: onData, onText: () => {} });
  socket.addEventListener('open', () => opened.resolve());
  socket.addEventListener('close', ({ code }) => {
    if (failures.isOrderly(code)) closed.resolve();
    else closed.reject(failures.of(code));
    opened.reject(failures.of(code));
  });
  // Callers need not wait for both.
  opened.promise.catch(() => {});
  closed.promise.catch(() => {});
  return {
    write: (bytes) => sending.bytes(bytes, null),
    close: () => socket.close(),
    pause: () => socket.pause?.(),
    resume: () => socket.resume?.(),
    get bufferedAmount() {
      return socket.bufferedAmount;
    },
    opened: opened.promise,
    closed: closed.promise,
  };
}

interface Received {
  readonly onBytes: (bytes: Uint8Array) => void;
  readonly onText: (message: { readonly type: string }) => void;
}

function onMessages(
  socket: WebSocketLike,
  failures: Failures,
  { onBytes, onText }: Received,
): void {
  socket.binaryType = 'arraybuffer';
  // A failure is followed by `close`.
  socket.addEventListener('error', () => {});
  socket.addEventListener('message', ({ data }) => {
    if (typeof data !== 'string') {
      onBytes(new Uint8Array(data as ArrayBuffer));
      return;
    }
    const message = JSON.parse(data) as { readonly type: string };
    if (message.type === 'error') failures.reported = message as unknown as Reported;
    else onText(message);
  });
}

/** Sends once the connection is open. */
class Sending {
  readonly #socket: WebSocketLike;
  #early: (string | Uint8Array)[] | null = [];

  constructor(socket: WebSocketLike) {
    this.#socket = socket;
    socket.addEventListener('open', () => {
      const early = this.#early ?? [];
      this.#early = null;
      for (const data of early) socket.send(data);
    });
  }

  message(message: object): void {
    this.#send(JSON.stringify(message));
  }

  /** `channel` null: bytes only. */
  bytes(input: Uint8Array | string, channel: number | null): void {
    const bytes = typeof input === 'string' ? new TextEncoder().encode(input) : input;
    for (let at = 0; at < bytes.byteLength; at += MOST_INPUT) {
      const piece = bytes.subarray(at, at + MOST_INPUT);
      if (channel === null) {
        this.#send(piece);
        continue;
      }
      const message = new Uint8Array(piece.byteLength + 1);
      message[0] = channel;
      message.set(piece, 1);
      this.#send(message);
    }
  }

  #send(data: string | Uint8Array): void {
    if (this.#early === null) this.#socket.send(data);
    else this.#early.push(data);
  }
}

interface Reported {
  readonly code: string;
  readonly message: string;
}

/** The code of a server that stops. */
const GOING_AWAY = 1001;

/** Why a connection has ended. */
class Failures {
  readonly #socket: WebSocketLike;
  readonly #url: string;
  readonly #request: string;
  reported: Reported | null = null;
  #wasOpen = false;

  constructor(socket: WebSocketLike, url: string, request: string) {
    this.#socket = socket;
    this.#url = url;
    this.#request = request;
    socket.addEventListener('open', () => {
      this.#wasOpen = true;
    });
  }

  isOrderly(code: number): boolean {
    return this.reported === null && (code === 1000 || code === 1005);
  }

  of(code: number): ClientError {
    if (this.reported !== null) {
      return new JobSocketError(this.reported.code, this.reported.message, this.#request);
    }
    if (this.#wasOpen) {
      if (code === GOING_AWAY) {
        const stopped = 'The server was stopped or restarted, which ended the connection';
        return new JobSocketError('connection_lost', stopped, this.#request);
      }
      const lost = 'The connection to the server was lost';
      if (code === 1006) return new JobSocketError('connection_lost', lost, this.#request);
    } else if (code === 1006) {
      const failure = this.#socket.failure ?? { kind: 'error', cause: null };
      return failure.kind === 'answer'
        ? errorFromAnswer(this.#request, failure.status, failure.body, null)
        : new ConnectionError(this.#url, this.#request, failure.cause);
    }
    return new JobSocketError('closed', `The connection was closed (${code})`, this.#request);
  }
}
