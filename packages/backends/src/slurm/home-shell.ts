import type { Readable } from 'node:stream';
import { plainText } from '@dstack/contract';
import { shellQuote } from '@dstack/contract/shell';
import type { RemoteConnection, RemoteOutput } from '../base/ssh.ts';

/**
 * Runs scripts on a login node as its user. They are the input of `sh`, so that the login shell of the
 * user, whichever it is, receives only fixed words.
 */
export class HomeShell {
  readonly #connection: Pick<RemoteConnection, 'exec'>;

  constructor(connection: Pick<RemoteConnection, 'exec'>) {
    this.#connection = connection;
  }

  /** The lines `name=value` of the output; `what` names the step in the error. */
  async pairs(what: string, script: string): Promise<ReadonlyMap<string, string>> {
    const output = await this.#connection.exec('sh -s', { input: script, timeoutMs: SCRIPT_MS });
    const lines = checked(what, output)
      .split('\n')
      .filter((line) => line.includes('='));
    return new Map(
      lines.map((line) => {
        const at = line.indexOf('=');
        return [line.slice(0, at), line.slice(at + 1).trim()];
      }),
    );
  }

  /** Passes data to a script. */
  async feed(what: string, script: string, data: Readable, timeoutMs: number): Promise<void> {
    const command = `sh -c ${shellQuote(script)}`;
    checked(what, await this.#connection.exec(command, { input: data, timeoutMs }));
  }
}

const SCRIPT_MS = 60_000;
/** Limits on the output of a script that its error shows, in lines and in characters. */
const SHOWN_LINES = 3;
const SHOWN_LENGTH = 400;

function checked(what: string, { code, stdout, stderr }: RemoteOutput): string {
  if (code === 0) return stdout;
  const lines = (stderr.trim() || stdout.trim()).split('\n').slice(-SHOWN_LINES);
  const output = plainText(lines.join(' ')).slice(0, SHOWN_LENGTH);
  throw new Error(`${what} failed on the host${output ? `: ${output}` : ''}`);
}
