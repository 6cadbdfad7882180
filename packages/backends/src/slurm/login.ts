/** The login node of a cluster, on which all commands of Slurm run. */
import { randomUUID } from 'node:crypto';
import type { Duplex, Readable } from 'node:stream';
import { errorMessage } from '@dstack/contract/error-message';
import { shellQuote } from '@dstack/contract/shell';
import { BackendError, BusyError, NoAnswerError } from '../base/errors.ts';

/** One SSH connection to a login node, which the server opens and repairs. */
export interface LoginConnection {
  /** Rejects if the connection breaks or the time passes; `code` is null after a signal. */
  exec(
    command: string,
    options: { readonly input: string | Readable; readonly timeoutMs: number },
  ): Promise<LoginOutput>;
  /** A connection from the login node to another address. */
  forward(to: { readonly host: string; readonly port: number }): Promise<Duplex>;
}

export interface LoginOutput {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const COMMAND_MS = 20_000;

/**
 * A login shell, since the administrator may have put Slurm's programs on the PATH of these only.
 * The words are the same in every shell that a user may have.
 */
const LOGIN_SHELL = `sh -c 'exec "\${SHELL:-/bin/sh}" -l -c "exec sh -s"'`;

export class LoginNode {
  readonly #name: string;
  readonly #connect: () => Promise<LoginConnection>;

  /** `name`: of the cluster, for messages. */
  constructor(name: string, connect: () => Promise<LoginConnection>) {
    this.#name = name;
    this.#connect = connect;
  }

  /**
   * Runs a script of ours. Its output begins after a random line: login shells print greetings.
   * Values of users are in it only as `shellQuote` prints them.
   */
  async script(script: string, timeoutMs = COMMAND_MS): Promise<LoginOutput> {
    const boundary = `dstack-${randomUUID()}`;
    const input = `printf '%s\\n' ${boundary}; printf '%s\\n' ${boundary} >&2\n${script}\n`;
    const connection = await this.#connection();
    const executed = await connection
      .exec(LOGIN_SHELL, { input, timeoutMs })
      .catch((error: unknown) => {
        if (error instanceof BackendError) throw error;
        throw new NoAnswerError(`cluster ${this.#name}: ${errorMessage(error)}`, { cause: error });
      });
    return {
      code: executed.code,
      stdout: after(executed.stdout, boundary),
      stderr: after(executed.stderr, boundary),
    };
  }

  /** The output of a program. Throws `BackendError` with what it printed, if it fails. */
  async output(argv: readonly string[], timeoutMs?: number): Promise<string> {
    const executed = await this.script(argv.map(shellQuote).join(' '), timeoutMs);
    return this.checked(argv[0] ?? '', executed);
  }

  checked(program: string, { code, stdout, stderr }: LoginOutput): string {
    if (code === 0) return stdout;
    throw failure(this.#name, program, stderr.trim() || stdout.trim() || `exit code ${code}`);
  }

  async forward(to: { readonly host: string; readonly port: number }): Promise<Duplex> {
    return await (await this.#connection()).forward(to);
  }

  async #connection(): Promise<LoginConnection> {
    try {
      return await this.#connect();
    } catch (error) {
      throw new BackendError(`cluster ${this.#name}: ${errorMessage(error)}`, { cause: error });
    }
  }
}

function after(output: string, boundary: string): string {
  const at = output.indexOf(`${boundary}\n`);
  return at < 0 ? output : output.slice(at + boundary.length + 1);
}

/** Errors of a controller that is away, or asks for patience. */
const BUSY =
  /Unable to contact slurm controller|Socket timed out|Connection refused|Communication connection failure|Resource temporarily unavailable|temporarily unable to accept job/i;
const MISSING = /not found|No such file/i;
const MAX_ERROR = 400;

function failure(cluster: string, program: string, output: string): BackendError {
  const lines = output.split('\n').map((line) => line.replace(/^\w+: error: /, '').trim());
  const text = lines.filter((line) => line !== '').join('; ');
  const message = `cluster ${cluster}: ${program}: ${text.slice(0, MAX_ERROR)}`;
  if (BUSY.test(output)) return new BusyError(message);
  const isMissing = MISSING.test(output) && output.includes(program);
  return new BackendError(
    isMissing ? `${message} (is Slurm on the PATH of the login shell there?)` : message,
  );
}
