/** The login node of a cluster, on which all commands of Slurm run. */
import type { Duplex } from 'node:stream';
import { errorMessage } from '@dstack/contract/error-message';
import { shellQuote } from '@dstack/contract/shell';
import { BackendError, BusyError, NoAnswerError } from '../base/errors.ts';
import type { ScriptOutput } from './login-shells.ts';

/** One SSH connection to a login node, which the server opens and repairs. */
export interface LoginConnection {
  /** Runs a script in a shell. Rejects if the shell breaks or the time passes. */
  run(script: string, timeoutMs: number): Promise<ScriptOutput>;
  /** A connection from the login node to another address. */
  forward(to: { readonly host: string; readonly port: number }): Promise<Duplex>;
}

const COMMAND_MS = 20_000;

/**
 * A login shell, since the administrator may have put Slurm's programs on the PATH of these only.
 * The words are the same in every shell that a user may have.
 */
export const LOGIN_SHELL = `sh -c 'exec "\${SHELL:-/bin/sh}" -l -c "exec sh -s"'`;

export class LoginNode {
  readonly #name: string;
  readonly #connect: () => Promise<LoginConnection>;

  /** `name`: of the cluster, for messages. */
  constructor(name: string, connect: () => Promise<LoginConnection>) {
    this.#name = name;
    this.#connect = connect;
  }

  /** Runs a script of ours. Values of users are in it only as `shellQuote` prints them. */
  async script(script: string, timeoutMs = COMMAND_MS): Promise<ScriptOutput> {
    const connection = await this.#connection();
    try {
      return await connection.run(script, timeoutMs);
    } catch (error) {
      if (error instanceof BackendError) throw error;
      throw new NoAnswerError(`cluster ${this.#name}: ${errorMessage(error)}`, { cause: error });
    }
  }

  /** The output of a program. Throws `BackendError` with what it printed, if it fails. */
  async output(argv: readonly string[], timeoutMs?: number): Promise<string> {
    const executed = await this.script(argv.map(shellQuote).join(' '), timeoutMs);
    return this.checked(argv[0] ?? '', executed);
  }

  checked(program: string, { code, stdout, stderr }: ScriptOutput): string {
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
