import { closeSync, readdirSync, readFileSync } from 'node:fs';

/** `O_CLOEXEC` as `/proc` shows it. */
const CLOSED_ON_EXEC = 0o2000000;

/**
 * Closes what whoever started this program had open: Node marks the first few of such files, so that
 * its children do not have them, and none behind a gap. A job must have none of them.
 */
export function closeInheritedFiles(): void {
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name);
    if (fd > 2 && !isClosedOnExec(fd)) close(fd);
  }
}

function isClosedOnExec(fd: number): boolean {
  try {
    const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
    const flags = Number.parseInt(/^flags:\s*(\d+)$/m.exec(info)?.[1] ?? '0', 8);
    return (flags & CLOSED_ON_EXEC) !== 0;
  } catch {
    // It was only there to read the folder.
    return true;
  }
}

function close(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // Closed meanwhile.
  }
}
