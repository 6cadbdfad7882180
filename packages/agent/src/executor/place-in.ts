import { isAbsolute, join, resolve } from 'node:path';
import { JobFailure } from './job-failure.ts';

/**
 * Resolves a path of the job's configuration: absolute, below the home (`~`), or below the working
 * directory. Throws `JobFailure` for another user's home.
 */
export function placeIn(path: string, home: string, cwd: string): string {
  if (path === '~') return home;
  if (path.startsWith('~/')) return join(home, path.slice(2));
  if (path.startsWith('~')) {
    const message = `Paths like ${path} (another user's home) are not supported`;
    throw new JobFailure('executor_error', message);
  }
  return isAbsolute(path) ? resolve(path) : resolve(cwd, path);
}
