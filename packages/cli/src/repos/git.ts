import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { errorMessage } from '@dstack/contract/error-message';
import { CliError } from '../errors.ts';

export interface GitResult {
  readonly code: number;
  /** The signal that ended git, if it did not exit by itself: it ran into the time limit. */
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs git. The caller checks the exit code; a missing git is an error. */
export async function git(
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string>; timeoutMs?: number } = {},
): Promise<GitResult> {
  const child = spawn('git', args, {
    cwd: options.cwd,
    env: { ...process.env, LC_ALL: 'C', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: options.timeoutMs ?? 0,
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    const [stdout, stderr] = [Buffer.concat(out), Buffer.concat(err).toString()];
    return { code: code ?? 1, signal, stdout, stderr };
  } catch (error) {
    throw new CliError('Cannot run git', {
      why: errorMessage(error),
      next: 'install git, or use `files` instead of `repos` in the configuration',
      cause: error,
    });
  }
}

/** The output of a git command as one trimmed text; null if git fails. */
export async function gitText(cwd: string, ...args: string[]): Promise<string | null> {
  const { code, stdout } = await git(args, { cwd });
  return code === 0 ? stdout.toString().trim() : null;
}

/** True if the program can be started at all. */
export function isInstalled(program: string, ...args: string[]): Promise<boolean> {
  return new Promise((resolve) => {
    execFile(program, args, (error) =>
      resolve((error as NodeJS.ErrnoException)?.code !== 'ENOENT'),
    );
  });
}
