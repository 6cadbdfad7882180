import { closeSync, constants, fstatSync, mkdirSync, openSync } from 'node:fs';

/** Linux's flag for a descriptor that only names a file; Node has no constant for it. */
const O_PATH = 0o10000000;
const { O_DIRECTORY, O_NOFOLLOW } = constants;

/**
 * A directory that is held open, so that what is done in it is done in no other, whatever is put in
 * place of a part of its path meanwhile. `close` lets go of it.
 */
export interface HeldDirectory {
  /** Path by which an entry is reached until `close`. */
  at(name: string): string;
  /** Path of an entry as people know it. */
  path(name: string): string;
  /** The error of a call that was given such a path, with the path that people know. */
  named(error: unknown): unknown;
  /** A directory in it that this process has made for itself; throws when it is somebody else's. */
  own(name: string): HeldDirectory;
  close(): void;
}

/**
 * Walks to a directory from the root, through no link. `onMade` is called with each directory that
 * had to be made on the way; without it none is made. Throws Node's own errors, `ENOTDIR` for a link.
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
      throw new Error(`${real}/${name} was put in place of a directory of ours`);
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
    // Somebody else has made it meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return openSync(path, flags);
}
