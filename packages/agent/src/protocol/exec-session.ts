import { constants } from 'node:os';
import {
  EXEC_CHANNELS,
  type ExecInput,
  type ExecOutput,
  type ExecStart,
  MAX_EXEC_PIECE,
  Malformed,
  parseExecInput,
} from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import type { RawData, WebSocket } from 'ws';
import type { JobAccount } from '../executor/job-account.ts';
import {
  type SessionAccount,
  type SessionCommand,
  type SessionHost,
  type SessionProcess,
  SessionRefusal,
} from '../executor/session-host.ts';
import type { JobReach } from '../jobs/job-reach.ts';
import { identityOf, shellOf } from '../ssh/sessions/session-shell.ts';

/** Codes of RFC 6455. */
const DONE = 1000;
const BAD_MESSAGE = 1007;

/** Time in which the first message must come, in milliseconds. */
const START_MS = 10_000;

const ALIVE_MS = 30_000;

/** Serves one command of a user. Everything about it ends with the connection. */
export function serveExec(
  job: Pick<JobReach, 'sessionHost' | 'sessions'>,
  webSocket: WebSocket,
): void {
  const session = new ExecSession(job, webSocket);
  webSocket.on('message', (data, isBinary) => session.onMessage(data, isBinary));
  webSocket.on('error', () => webSocket.terminate());
  // A connection that is not read, because the command takes no input, reports its loss only to writers.
  const alive = setInterval(() => webSocket.ping(), ALIVE_MS);
  webSocket.once('close', () => {
    clearInterval(alive);
    session.onClose();
  });
}

class ExecSession {
  readonly #job: Pick<JobReach, 'sessionHost' | 'sessions'>;
  readonly #webSocket: WebSocket;
  readonly #startLimit: NodeJS.Timeout;
  readonly #endSession: () => void;
  #begun = false;
  #process: SessionProcess | null = null;
  /** Messages that came while the command was being started. */
  readonly #early: (Buffer | ExecInput)[] = [];
  #terminal = false;
  #closed = false;
  #ended = false;

  constructor(job: Pick<JobReach, 'sessionHost' | 'sessions'>, webSocket: WebSocket) {
    this.#job = job;
    this.#webSocket = webSocket;
    this.#endSession = job.sessions.begin();
    this.#startLimit = setTimeout(() => {
      this.#fail('no_command', 'No command came in time');
    }, START_MS);
  }

  onMessage(data: RawData, isBinary: boolean): void {
    try {
      const message = isBinary ? (data as Buffer) : parseExecInput(String(data));
      if (message === null) return;
      if (!this.#begun) this.#begin(message);
      // These bytes had been read before the program started.
      else if (this.#process === null) this.#early.push(message);
      else this.#pass(this.#process, message);
    } catch (error) {
      this.#failed(error);
    }
  }

  onClose(): void {
    this.#closed = true;
    clearTimeout(this.#startLimit);
    this.#endSession();
    if (this.#process === null || this.#ended) return;
    // A terminal does that by itself.
    if (!this.#terminal) this.#process.signal('HUP');
    this.#process.hangUp();
  }

  #begin(message: Buffer | ExecInput): void {
    if (Buffer.isBuffer(message) || message.type !== 'start') {
      throw new Malformed('', 'comes before the start of a command');
    }
    this.#begun = true;
    clearTimeout(this.#startLimit);
    this.#terminal = message.tty !== null;
    // Bytes that come before the command runs stay with the sender.
    this.#webSocket.pause();
    this.#run(message).catch((error: unknown) => this.#failed(error));
  }

  async #run(start: ExecStart): Promise<void> {
    const { host, account } = this.#job.sessionHost();
    const process = await host.start(await commandOf(host, account, start));
    if (this.#closed) {
      process.hangUp();
      return;
    }
    process.stdin.on('error', () => this.#webSocket.resume());
    this.#process = process;
    this.#send({ type: 'started' });
    for (const message of this.#early.splice(0)) this.#pass(process, message);
    this.#webSocket.resume();
    const ending = await process.run((bytes, isError) => this.#output(bytes, isError));
    this.#ended = true;
    this.#send({ type: 'exit', ...exitOf(ending) });
    // An ended input never reports that there is room again. Paused, the connection would not read that
    // the client closes it too, and wait half a minute for that.
    this.#webSocket.resume();
    this.#webSocket.close(DONE);
  }

  #pass(process: SessionProcess, message: Buffer | ExecInput): void {
    if (Buffer.isBuffer(message)) this.#input(process, message);
    else if (message.type === 'resize') process.resize(message.cols, message.rows);
    else if (message.type === 'signal') this.#signal(process, message.name);
    else if (message.type === 'start') throw new Malformed('', 'starts a second command');
    // A terminal has no end of input but Ctrl-D.
    else if (!this.#terminal) process.stdin.end();
  }

  #signal(process: SessionProcess, name: string): void {
    if (!(`SIG${name}` in constants.signals)) {
      throw new Malformed('name', 'is not a signal of this host');
    }
    process.signal(name);
  }

  #input({ stdin }: SessionProcess, message: Buffer): void {
    if (message[0] !== EXEC_CHANNELS.stdin) throw new Malformed('', 'is of an unknown channel');
    // A command may close its input and continue.
    if (!stdin.writable || stdin.write(message.subarray(1))) return;
    this.#webSocket.pause();
    stdin.once('drain', () => this.#webSocket.resume());
  }

  /** Resolves when more may be sent. */
  async #output(bytes: Buffer, isError: boolean): Promise<void> {
    const channel = Buffer.of(isError ? EXEC_CHANNELS.stderr : EXEC_CHANNELS.stdout);
    for (let at = 0; at < bytes.length; at += MAX_EXEC_PIECE) {
      const piece = Buffer.concat([channel, bytes.subarray(at, at + MAX_EXEC_PIECE)]);
      // A closed connection calls back with an error; the command is hung up then.
      await new Promise<void>((resolve) => this.#webSocket.send(piece, () => resolve()));
    }
  }

  #send(message: ExecOutput): void {
    this.#webSocket.send(JSON.stringify(message), () => {});
  }

  #failed(error: unknown): void {
    if (error instanceof Malformed) this.#fail('bad_message', error.message, BAD_MESSAGE);
    else this.#fail(error instanceof SessionRefusal ? 'refused' : 'internal', errorMessage(error));
  }

  #fail(code: string, message: string, close = DONE): void {
    clearTimeout(this.#startLimit);
    this.#send({ type: 'error', code, message });
    this.#webSocket.resume();
    this.#webSocket.close(close);
  }
}

async function commandOf(
  host: SessionHost,
  own: JobAccount,
  { argv, command, tty: terminal, env, user }: ExecStart,
): Promise<SessionCommand> {
  const account = await accountOf(host, own, user);
  const shell = await shellOf(host, account);
  const started = argv !== null && argv.length > 0 ? argv : inShell(host, shell, command);
  const variables = {
    ...identityOf(account, shell),
    ...(terminal ? { TERM: terminal.term } : {}),
    ...env,
  };
  return { account, argv: started, env: variables, terminal };
}

async function accountOf(
  host: SessionHost,
  own: JobAccount,
  user: string | null,
): Promise<SessionAccount> {
  const login = user ?? own.username;
  return login === null ? { ...own, groups: [] } : await host.account(login);
}

function inShell(host: SessionHost, shell: string | null, command: string | null): string[] {
  if (shell === null) {
    throw new SessionRefusal('This job has no shell: give a program and its arguments', 127);
  }
  return [shell, ...(command === null ? host.loginShell : ['-c', command])];
}

function exitOf(ending: number | string): { status: number; signal: string | null } {
  if (typeof ending === 'number') return { status: ending & 0xff, signal: null };
  const number = constants.signals[`SIG${ending}` as NodeJS.Signals] ?? 0;
  return { status: 128 + number, signal: ending };
}
