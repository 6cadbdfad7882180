import { spawn } from 'node:child_process';
import { lstatSync } from 'node:fs';

const MAX_WORDS = 300;

/**
 * Removes files and directories recursively; missing ones are not an error. Uses programs of the
 * host: a job may have nested directories too deeply for a call of Node, or made so many files that
 * a call would block all other jobs. Rejects with the first reason if something is left.
 */
export async function removeTrees(paths: readonly string[]): Promise<void> {
  if ((await remove(paths)) === null) return;
  // Without root: directories that their owner may not change (as in Go's module cache) keep their
  // files.
  if (process.getuid?.() !== 0) await openFolders(there(paths));
  const why = await remove(paths);
  if (why !== null) throw new Error(why);
}

/** Null if nothing is left, else the reason. */
async function remove(paths: readonly string[]): Promise<string | null> {
  const found = there(paths);
  return found.length === 0 ? null : await attempt('rm', ['-rf', '--', ...found]);
}

async function openFolders(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const closed = ['-type', 'd', '!', '-perm', '-700', '-exec', 'chmod', 'u+rwx', '{}', ';'];
    await attempt('find', [path, ...closed]);
  }
}

function there(paths: readonly string[]): string[] {
  return paths.filter((path) => lstatSync(path, { throwIfNoEntry: false }) !== undefined);
}

/** The first error message of a program; empty if it has succeeded. */
async function attempt(program: string, args: readonly string[]): Promise<string | null> {
  const env = { PATH: process.env.PATH, LC_ALL: 'C' };
  const child = spawn(program, args, { cwd: '/', env, stdio: ['ignore', 'ignore', 'pipe'] });
  let words = '';
  child.stderr.on('data', (piece: Buffer) => {
    // There may be a million of them.
    if (words.length < MAX_WORDS) words += piece;
  });
  const status = await new Promise<number | string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code ?? signal ?? ''));
  });
  if (status === 0) return null;
  return words.split('\n')[0]?.slice(0, MAX_WORDS) || `${program} has failed (${status})`;
}
