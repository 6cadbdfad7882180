/**
 * The file with the notice of a process job. Its folder belongs to the agent, so that a job with its own
 * user cannot put a link there; the file belongs to the job, which may write that it is done.
 */
import {
  chownSync,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import type { JobAccount } from '../executor/job-account.ts';

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_TRUNC, O_WRONLY } = constants;
/** A notice is short; a job may write anything there. */
const MAX_BYTES = 4096;

/** Empty: there is no notice. */
export function makeNoticeFile(path: string, { uid, gid }: JobAccount): void {
  rmSync(path, { force: true });
  writeFileSync(path, '', { flag: 'wx', mode: 0o644 });
  if (uid !== process.getuid?.()) chownSync(path, uid, gid);
}

/** Throws if the file is missing, as it is for jobs that an earlier agent has started. */
export function writeNoticeFile(path: string, text: string): void {
  const fd = openSync(path, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_NONBLOCK);
  try {
    writeFileSync(fd, text);
  } finally {
    closeSync(fd);
  }
}

/** Empty if it is missing, or longer than any honest one. */
export function readNoticeFile(path: string): string {
  let fd: number;
  try {
    fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
  try {
    const stats = fstatSync(fd);
    return stats.isFile() && stats.size <= MAX_BYTES ? readFileSync(fd, 'utf8') : '';
  } finally {
    closeSync(fd);
  }
}
