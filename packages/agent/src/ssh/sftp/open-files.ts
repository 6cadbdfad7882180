import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  type Stats,
} from 'node:fs';
import type { RootedFiles } from '../../host/rooted-files.ts';

const {
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
} = constants;
const WANTS = { read: 1, write: 2, append: 4, create: 8, truncate: 16, exclusive: 32 };
const MAX_OPEN = 1000;
const DEFAULT_MODE = 0o666;

export interface DirectoryEntry {
  readonly name: string;
  readonly stats: Stats;
}

interface OpenDirectory {
  readonly fd: number;
  /** Names that were not returned yet. */
  readonly names: string[];
}

/** The open files of a client, by their handles. */
export class OpenSftpFiles {
  readonly #files: RootedFiles;
  readonly #open = new Map<string, number | OpenDirectory>();
  #next = 0;

  constructor(files: RootedFiles) {
    this.#files = files;
  }

  /**
   * `flags` are those of the protocol. Devices and pipes are refused, since opening one may have
   * effects.
   */
  openFile(path: string, flags: number, mode: number = DEFAULT_MODE): string {
    const access =
      flags & WANTS.write ? (flags & WANTS.read ? O_RDWR : constants.O_WRONLY) : O_RDONLY;
    const more = [
      flags & WANTS.append ? O_APPEND : 0,
      flags & WANTS.create ? O_CREAT : 0,
      flags & WANTS.truncate ? O_TRUNC : 0,
      flags & WANTS.exclusive ? O_EXCL : 0,
    ].reduce((all, each) => all | each, O_NOFOLLOW | O_NONBLOCK);
    // An exclusive creation must not follow a broken link.
    return this.#files.at(path, !(flags & WANTS.exclusive), (place) => {
      const present = lstatSync(place.path, { throwIfNoEntry: false });
      if (present && !present.isFile()) throw refused(path);
      const fd = openSync(place.path, access | more, mode & 0o7777);
      if (fstatSync(fd).isFile()) return this.#keep(fd);
      closeSync(fd);
      throw refused(path);
    });
  }

  openDirectory(path: string): string {
    return this.#files.at(path, true, (place) => {
      const fd = openSync(place.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      const names = ['.', '..', ...readdirSync(`/proc/self/fd/${fd}`)];
      return this.#keep({ fd, names });
    });
  }

  /** Throws if the handle is not of a file. */
  file(handle: string): number {
    const fd = this.#open.get(handle);
    if (typeof fd !== 'number') throw new Error('no such handle');
    return fd;
  }

  /** The next entries of a directory; empty at the end. */
  entries(handle: string, count: number): DirectoryEntry[] {
    const directory = this.#open.get(handle);
    if (typeof directory !== 'object') throw new Error('no such handle');
    const found: DirectoryEntry[] = [];
    while (found.length === 0 && directory.names.length > 0) {
      for (const name of directory.names.splice(0, count)) {
        // Nothing is above the root.
        const path = `/proc/self/fd/${directory.fd}/${name === '..' ? '.' : name}`;
        const stats = lstatSync(path, { throwIfNoEntry: false });
        if (stats) found.push({ name, stats });
      }
    }
    return found;
  }

  close(handle: string): void {
    const open = this.#open.get(handle);
    if (open === undefined) throw new Error('no such handle');
    this.#open.delete(handle);
    closeSync(typeof open === 'number' ? open : open.fd);
  }

  #keep(open: number | OpenDirectory): string {
    if (this.#open.size >= MAX_OPEN) {
      closeSync(typeof open === 'number' ? open : open.fd);
      throw new Error('too many open files');
    }
    const handle = String(this.#next++);
    this.#open.set(handle, open);
    return handle;
  }
}

function refused(path: string): Error {
  return Object.assign(new Error(`${path} is not a regular file`), { code: 'EACCES' });
}
