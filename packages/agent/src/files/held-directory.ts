import { closeSync, constants, fstatSync, mkdirSync, openSync } from 'node:fs';

/** The Linux flag for a descriptor that only names a file; Node has no constant for it. */
const O_PATH = 0o10000000;
const { O_DIRECTORY, O_NOFOLLOW } = constants;

/**
 * An open directory. Calls through it stay in this directory, even if another process replaces a part
 * of its path.
 */
export interface HeldDirectory {
  /** Path to open an entry by, until `close`. */
  at(name: string): string;
  /** Path of an entry for messages. */
  path(name: string): string;
  /** Converts an error of a call with such a path: its path becomes the one for messages. */
  named(error: unknown): unknown;
  /** A private directory in it that this process creates. Throws if another user owns it. */
  own(name: string): HeldDirectory;
  close(): void;
}

/**
 * Opens a directory step by step from the root, following no link. Calls `onMade` with each directory
 * that it makes on the way; without `onMade` it makes none. Throws Node's own errors, `ENOTDIR` for a
 * link.
 */
export function holdDirectory(path: string, onMade?: (path: string) => void): HeldDirectory {
  let dir = held(openSync('/', O_PATH | O_DIRECTORY), '');
  for (const name of path.split('/').filter((part) => part !== '')) {
    const outer = dir;
    try {
      dir = held(
        step(outer.at(name), onMade && (() => onMade(outer.path(name)))),
        outer.path(name),
      );
    } catch (error) {
      throw outer.named(error);
    } finally {
      outer.close();
    }
  }
  return dir;
}

function held(fd: number, real: string): HeldDirectory {
  const here = `/proc/self/fd/${fd}`;
  const at = (name: string) => `${here}/${name}`;
  return {
    at,
    path: (name) => `${real}/${name}`,
    named: (error) => {
      if (error instanceof Error) error.message = error.message.replaceAll(`${here}/`, `${real}/`);
      return error;
    },
    own: (name) => {
      const inner = openSync(at(name), O_PATH | O_DIRECTORY | O_NOFOLLOW);
      const { uid, mode } = fstatSync(inner);
      if (uid === process.geteuid?.() && (mode & 0o077) === 0)
        return held(inner, `${real}/${name}`);
      closeSync(inner);
      throw new Error(`${real}/${name} is not the directory that was made there`);
    },
    close: () => closeSync(fd),
  };
}

function step(path: string, onMade: (() => void) | undefined): number {
  const flags = O_PATH | O_DIRECTORY | O_NOFOLLOW;
  try {
    return openSync(path, flags);
  } catch (error) {
    if (!onMade || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  try {
    mkdirSync(path, 0o755);
    onMade();
  } catch (error) {
    // Another process has just created it.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return openSync(path, flags);
}
