import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  rmdirSync,
  statSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { JobRoot } from '../executor/session-host.ts';
import { RootedFiles } from '../host/rooted-files.ts';

/** The Linux flag for a descriptor that only names a file; Node has no constant for it. */
const O_PATH = 0o10000000;
const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;

/** Ids in the job's numbering. */
export interface SocketOwner {
  readonly uid: number;
  readonly gid: number;
}

export interface SocketListener {
  close(): void;
}

/** Connects to a unix socket among a job's files. Rejects with Node's own error. */
export async function connectSocket(root: JobRoot, path: string): Promise<Duplex> {
  return withFiles(root, (files) =>
    files.pinned(path, true, (pinned) => {
      const stats = statSync(pinned);
      if (!stats.isSocket()) throw new Error(`${path} is not a socket`);
      refuseForeign(root, stats.uid, path);
      return new Promise<Duplex>((resolve, reject) => {
        // Connects at once, while the path still means this socket.
        const socket = connect({ path: pinned, allowHalfOpen: true });
        socket.once('error', reject);
        socket.once('connect', () => {
          socket.off('error', reject);
          resolve(socket);
        });
      });
    }),
  );
}

/**
 * Listens on a new unix socket among a job's files, for its owner alone. Rejects if the path is
 * taken.
 */
export async function listenOnSocket(
  root: JobRoot,
  path: string,
  owner: SocketOwner,
  onConnection: (connection: Duplex) => void,
): Promise<SocketListener> {
  return withFiles(root, async (files) => {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const directory = openOwnDirectory(root, files, dirname(path));
    // Binding a socket does not follow a link at the last name.
    const reached = `/proc/self/fd/${directory}/${name}`;
    const server = createServer({ allowHalfOpen: true }, onConnection);
    server.once('close', () => closeSync(directory));
    const listening = new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.once('listening', resolve);
    });
    server.listen(reached);
    // Through the open directory: the job may have replaced its path by a link since it was opened.
    // If the bind failed, `listening` rejects with the reason.
    const given = server.listening ? attempt(() => giveSocket(reached, root, owner)) : null;
    try {
      await listening;
      if (given) throw given;
    } catch (error) {
      if (server.listening) server.close();
      else closeSync(directory);
      throw error;
    }
    server.on('error', () => {});
    return { close: () => server.close() };
  });
}

/** Gives the new socket to its owner. Throws if another file is in its place. */
function giveSocket(reached: string, root: JobRoot, owner: SocketOwner): void {
  const fd = openSync(reached, O_PATH | O_NOFOLLOW);
  try {
    const pinned = `/proc/self/fd/${fd}`;
    const stats = statSync(pinned);
    // A second link means that it is an older socket.
    const isNew = stats.isSocket() && stats.nlink === 1 && stats.uid === process.geteuid?.();
    if (!isNew) throw new Error('the path is not this socket any more');
    chmodSync(pinned, 0o600);
    chownSync(pinned, root.hostUid(owner.uid), root.hostGid(owner.gid));
  } finally {
    closeSync(fd);
  }
}

function attempt(action: () => void): Error | null {
  try {
    action();
    return null;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** A new directory that only its owner can enter. `remove` removes it if it is empty. */
export function makePrivateDirectory(
  root: JobRoot,
  path: string,
  owner: SocketOwner,
): { remove(): void } {
  return withFiles(root, (files) => {
    files.at(path, false, (place) => mkdirSync(place.path, 0o700));
    files.pinned(path, false, (pinned) => {
      if (!statSync(pinned).isDirectory()) throw new Error(`${path} is not a directory any more`);
      chownSync(pinned, root.hostUid(owner.uid), root.hostGid(owner.gid));
    });
    const remove = () =>
      withFiles(root, (again) => again.at(path, false, (place) => rmdirSync(place.path)));
    return { remove };
  });
}

/** A descriptor, which the caller closes. Throws for a directory of another user. */
function openOwnDirectory(root: JobRoot, files: RootedFiles, path: string): number {
  const directory = files.pinned(path, true, (pinned) => openSync(pinned, O_RDONLY | O_DIRECTORY));
  try {
    refuseForeign(root, fstatSync(directory).uid, path);
    return directory;
  } catch (error) {
    closeSync(directory);
    throw error;
  }
}

/** The agent could open files of other users, which are closed to the job. */
function refuseForeign({ owner }: JobRoot, uid: number, path: string): void {
  if (owner !== undefined && uid !== owner) throw new Error(`${path} does not belong to the job`);
}

function withFiles<T>(root: JobRoot, use: (files: RootedFiles) => T): T {
  const fd = openSync(join(root.path, '/'), O_RDONLY | O_DIRECTORY);
  const result = (() => {
    try {
      return use(new RootedFiles(fd));
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  })();
  if (result instanceof Promise)
    result.then(
      () => closeSync(fd),
      () => closeSync(fd),
    );
  else closeSync(fd);
  return result;
}
