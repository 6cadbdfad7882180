import {
  closeSync,
  constants,
  fchmodSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import { holdDirectory } from './held-directory.ts';
import type { SmallFile } from './small-file.ts';

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/** Writes a file into the job's home without following links, which a job can put there. */
export function writeSmallFile({ path, text, mode, over }: SmallFile): void {
  const directory = holdDirectory(dirname(path), () => {});
  const place = directory.at(basename(path));
  try {
    const before = read(place);
    const after = before === null ? text : over(before);
    if (after === null) return;
    if (before !== null) unlinkSync(place);
    const fd = openSync(place, 'wx', mode);
    try {
      fchmodSync(fd, mode);
      writeFileSync(fd, after);
    } finally {
      closeSync(fd);
    }
  } finally {
    directory.close();
  }
}

/** Null if the file is missing; throws for a link. */
function read(place: string): string | null {
  try {
    const fd = openSync(place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      return readFileSync(fd, 'utf8');
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
