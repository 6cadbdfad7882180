import { closeSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';

/** `O_CLOEXEC` as `/proc` shows it. */
const CLOSED_ON_EXEC = 0o2000000;

/**
 * Closes descriptors inherited from the parent process, which no job may get. Node marks inherited
 * descriptors as close-on-exec only up to the first gap in their numbers.
 */
export function closeInheritedFiles(): void {
  const certificates = extraCertificates();
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name);
    if (fd > 2 && !isClosedOnExec(fd) && target(fd) !== certificates) close(fd);
  }
}

/**
 * A thread of Node reads this file meanwhile, without close-on-exec. It would read from, and then
 * close, whatever this process opens next. Null: there is none.
 */
function extraCertificates(): string | null {
  try {
    return realpathSync(process.env.NODE_EXTRA_CA_CERTS ?? '');
  } catch {
    // Node ignores a missing file too.
    return null;
  }
}

function target(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    // It is closed already.
    return '';
  }
}

function isClosedOnExec(fd: number): boolean {
  try {
    const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
    const flags = Number.parseInt(/^flags:\s*(\d+)$/m.exec(info)?.[1] ?? '0', 8);
    return (flags & CLOSED_ON_EXEC) !== 0;
  } catch {
    // The descriptor of the listing itself, which is already closed.
    return true;
  }
}

function close(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // Node has closed it itself.
  }
}
