import { existsSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';

const SHARED_MEMORY = '/dev/shm';
const TMPFS = 0x01021994;
const LEAST_BYTES = 4 * 2 ** 30;

/**
 * A folder for files that may be lost with the computer: in memory, where there is room. A database of hundreds of
 * files is made there with a tenth of the processor time that a disk takes.
 */
export function memoryFolder(): string {
  if (!existsSync(SHARED_MEMORY)) return tmpdir();
  const { type, bavail, bsize } = statfsSync(SHARED_MEMORY);
  return type === TMPFS && bavail * bsize >= LEAST_BYTES ? SHARED_MEMORY : tmpdir();
}
