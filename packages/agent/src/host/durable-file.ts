import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

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
    if (sync) fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
  if (!sync) return;
  const dir = openSync(dirname(path), 'r');
  try {
    fsyncSync(dir);
  } finally {
    closeSync(dir);
  }
}
