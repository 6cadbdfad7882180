import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JobRoot } from '../executor/session-host.ts';
import { RootedFiles } from '../host/rooted-files.ts';

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
const MAX_BYTES = 1024 * 1024;

/**
 * Text of a file of a job. Empty if the file is missing or not a regular file, since a job may put
 * an endless pipe there.
 */
export function readSmallFile(root: JobRoot, path: string): string {
  const top = openSync(join(root.path, '/'), O_RDONLY | O_DIRECTORY);
  try {
    return new RootedFiles(top).at(path, true, (place) => {
      const fd = openSync(place.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      try {
        const stats = fstatSync(fd);
        return stats.isFile() && stats.size <= MAX_BYTES ? readFileSync(fd, 'utf8') : '';
      } finally {
        closeSync(fd);
      }
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return '';
    throw error;
  } finally {
    closeSync(top);
  }
}
