import { copyFileSync, statSync, truncateSync } from 'node:fs';

/** Clients can cause lines of a log. Its earlier part is kept once, and those who write it go on. */
export function boundLog(path: string, most: number): void {
  try {
    if (statSync(path).size <= most) return;
  } catch {
    // Nothing has been written yet.
    return;
  }
  try {
    copyFileSync(path, `${path}.1`);
  } catch {
    // A full disk has no room for it, and needs what is freed by the next step.
  }
  try {
    truncateSync(path);
  } catch {
    // It was removed meanwhile, or its disk takes no writes any more: then it does not grow either.
  }
}
