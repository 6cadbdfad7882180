import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * `off` where nothing of the agent outlives its machine, as in a pod: every wait for the disk there
 * delays the start and the end of the job, and protects nothing.
 */
export const SYNC = 'DSTACK_AGENT_SYNC';

/** Waits until the contents survive a power cut. */
export function syncFile(fd: number): void {
  if (process.env[SYNC] !== 'off') fsyncSync(fd);
}

/** Replaces a file atomically: after a crash it holds the old text or the new one, never a part. */
export function writeDurably(path: string, text: string): void {
  replace(path, text, true);
}

/** Atomic if this process dies, but a power cut may restore the old text. */
export function writeWhole(path: string, text: string): void {
  replace(path, text, false);
}

function replace(path: string, text: string, sync: boolean): void {
  const temporary = `${path}.new`;
  const fd = openSync(temporary, 'w', 0o600);
  try {
    writeFileSync(fd, text);
    if (sync) syncFile(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
  if (!sync) return;
  const dir = openSync(dirname(path), 'r');
  try {
    syncFile(dir);
  } finally {
    closeSync(dir);
  }
}
