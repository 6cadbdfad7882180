import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { Cli } from '../context.ts';
import { CliError } from '../errors.ts';

const COMMAND_MS = 15_000;

/** The user's OpenSSH. */
export function sshProgram(cli: Pick<Cli, 'env'>): string {
  return cli.env.DSTACK_SSH_CLIENT || 'ssh';
}

/**
 * The path of ssh. dstack 0.22.5 recognises a connection that it can join by the arguments of its
 * process, the first of which must be this path.
 */
export async function sshPath(cli: Pick<Cli, 'env'>): Promise<string> {
  const program = sshProgram(cli);
  if (program.includes('/')) return program;
  for (const directory of (cli.env.PATH ?? '').split(delimiter)) {
    const path = join(directory, program);
    const runs = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (runs) return path;
  }
  return program;
}

export function noClient(cli: Pick<Cli, 'env'>, cause: NodeJS.ErrnoException): CliError {
  const missing = cause.code === 'ENOENT';
  return new CliError('No SSH client', {
    why: `${sshProgram(cli)} cannot be started: ${missing ? 'there is no such program' : cause.message}`,
    next: 'install OpenSSH, or set DSTACK_SSH_CLIENT',
    cause,
  });
}

/** Runs ssh to its end. Returns its output, or null if it failed. */
export function runSsh(args: readonly string[], cli: Cli): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const env = { ...cli.env, HOME: cli.home } as NodeJS.ProcessEnv;
    const options = { timeout: COMMAND_MS, env };
    execFile(sshProgram(cli), [...args], options, (error, out, err) => {
      if ((error as NodeJS.ErrnoException | null)?.code === 'ENOENT') {
        reject(noClient(cli, error as NodeJS.ErrnoException));
      } else resolve(error === null ? out + err : null);
    }).stdin?.end();
  });
}
