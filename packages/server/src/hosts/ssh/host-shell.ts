import type { Readable } from 'node:stream';
import { shellQuote } from '@dstack/contract/shell';
import type { Executed, SshConnection } from '@dstack/ssh';
import { temporary } from '@dstack/ssh';

/**
 * Runs scripts on a host as root. They are the input of `sh`, so that the login shell of the user,
 * whichever it is, receives only fixed words.
 */
export class HostShell {
  readonly #connection: SshConnection;
  readonly #prefix: string;

  constructor(connection: SshConnection, sudo: boolean) {
    this.#connection = connection;
    this.#prefix = sudo ? 'sudo -n ' : '';
  }

  get connection(): SshConnection {
    return this.#connection;
  }

  async try(script: string, timeoutMs = 60_000): Promise<Executed> {
    return await this.#connection.exec(`${this.#prefix}sh -s`, { input: script, timeoutMs });
  }

  /** Returns the output; `what` names the step in the error. */
  async run(what: string, script: string, timeoutMs?: number): Promise<string> {
    return checked(what, await this.try(script, timeoutMs));
  }

  /**
   * Passes data to a script. Values of users are passed as such data, never as part of a script.
   */
  async feed(what: string, script: string, data: Readable, timeoutMs = 60_000): Promise<void> {
    const command = `${this.#prefix}sh -c ${shellQuote(script)}`;
    checked(what, await this.#connection.exec(command, { input: data, timeoutMs }));
  }
}

function checked(what: string, { code, stdout, stderr }: Executed): string {
  if (code === 0) return stdout;
  const output = (stderr.trim() || stdout.trim()).split('\n').slice(-3).join(' ').slice(0, 400);
  throw temporary(`${what} failed on the host${output ? `: ${output}` : ''}`);
}

/** Lines `name=value` of a script's output. */
export function pairs(output: string): ReadonlyMap<string, string> {
  const lines = output.split('\n').filter((line) => line.includes('='));
  return new Map(
    lines.map((line) => {
      const at = line.indexOf('=');
      return [line.slice(0, at), line.slice(at + 1).trim()];
    }),
  );
}
