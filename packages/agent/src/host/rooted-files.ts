import { closeSync, constants, lstatSync, openSync, readlinkSync } from 'node:fs';

/** The Linux flag for a descriptor that only names a file; Node has no constant for it. */
const O_PATH = 0o10000000;
const { O_DIRECTORY, O_NOFOLLOW } = constants;
const MAX_LINKS = 40;

/** The result of walking a path. Valid only inside the callback that receives it. */
export interface Place {
  /** A path by which this process reaches the file, or a new one. Its directory is held open. */
  readonly path: string;
  /** Absolute path inside the root, without links. */
  readonly inside: string;
}

interface Directory {
  readonly fd: number;
  readonly name: string;
}

/**
 * Files below a directory that is the root of a job. Their paths are never passed to the kernel: it
 * would follow absolute links from the host's root, and the job can insert a link between check and
 * use. So each step starts at a directory that is held open and follows no link. Links are read and
 * resolved here, and none leads above the root.
 */
export class RootedFiles {
  readonly #root: number;

  /** `root`: descriptor of the directory. */
  constructor(root: number) {
    this.#root = root;
  }

  /**
   * Walks to a path and calls `use` with the place. Its last name need not exist; `follow`: whether
   * a link there is followed. Throws Node's own errors.
   */
  at<T>(path: string, follow: boolean, use: (place: Place) => T): T {
    const open: Directory[] = [];
    try {
      const last = this.#walk(path, follow, open);
      const inside = `/${[...open.map(({ name }) => name), ...(last === '.' ? [] : [last])].join('/')}`;
      return use({ path: `${this.#top(open)}/${last}`, inside });
    } finally {
      for (const { fd } of open) closeSync(fd);
    }
  }

  /**
   * A path to exactly the present file, even if it is replaced later; for calls that would follow a
   * link.
   */
  pinned<T>(path: string, follow: boolean, use: (path: string) => T): T {
    return this.at(path, follow, (place) => {
      const fd = openSync(place.path, O_PATH | O_NOFOLLOW);
      try {
        return use(`/proc/self/fd/${fd}`);
      } finally {
        closeSync(fd);
      }
    });
  }

  #walk(path: string, follow: boolean, open: Directory[]): string {
    const names = path.split('/');
    let links = 0;
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        const left = open.pop();
        if (left) closeSync(left.fd);
        continue;
      }
      const isLast = names.every((each) => each === '' || each === '.');
      if (isLast && !follow) return name;
      const here = `${this.#top(open)}/${name}`;
      const link = linkAt(here, isLast);
      if (link === null) {
        if (isLast) return name;
        open.push({ fd: openSync(here, O_PATH | O_DIRECTORY | O_NOFOLLOW), name });
        continue;
      }
      links += 1;
      if (links > MAX_LINKS) throw tooManyLinks(path);
      if (link.startsWith('/')) for (const { fd } of open.splice(0)) closeSync(fd);
      names.unshift(...link.split('/'));
    }
    return '.';
  }

  #top(open: readonly Directory[]): string {
    return `/proc/self/fd/${open.at(-1)?.fd ?? this.#root}`;
  }
}

/** The target of a link; null for every other file, and for a missing one that may be created. */
function linkAt(path: string, mayBeMissing: boolean): string | null {
  const stats = lstatSync(path, { throwIfNoEntry: !mayBeMissing });
  return stats?.isSymbolicLink() ? readlinkSync(path) : null;
}

function tooManyLinks(path: string): Error {
  return Object.assign(new Error(`too many links in ${path}`), { code: 'ELOOP' });
}
