import { existsSync, mkdirSync, realpathSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { mountPoints, mountWithin } from '../host/mount-points.ts';
import { removeTrees } from '../host/remove-trees.ts';

/** Longest path of a unix socket, in bytes. */
const LONGEST_SOCKET = 107;

/**
 * Characters of a job's id. With the whole id, paths of sockets in the job's home would be too
 * long.
 */
const AREA_NAME_LENGTH = 12;

/** The socket of the server for the job with this area. */
export function serverSocketOf(area: string): string {
  return `${area}.sock`;
}

/** The file with the notice for the job with this area. */
export function noticeFileOf(area: string): string {
  return `${area}.notice`;
}

/**
 * The files of one job: `<state directory>/jobs/<id>`. Only the agent's user may enter, so the
 * files of a job with its own user lie in an area elsewhere.
 */
export class JobFolder {
  readonly path: string;
  /** The folder of the job's own user; null = its files lie here. */
  readonly area: string | null;
  /** Directory for unix sockets; a path in `path` may be too long for one (107 bytes). */
  readonly #socketDir: string;
  readonly #id: string;

  /** `homes`: the folder of the areas. */
  constructor(jobsDir: string, id: string, socketDir: string, homes: string | null = null) {
    this.path = join(jobsDir, id);
    const name = id.replaceAll('-', '').slice(0, AREA_NAME_LENGTH);
    this.area = homes === null ? null : join(homes, name);
    this.#socketDir = socketDir;
    this.#id = id;
  }

  get record(): string {
    return join(this.path, 'record.json');
  }

  get spool(): string {
    return join(this.path, 'spool');
  }

  get home(): string {
    return join(this.#own, 'home');
  }

  get work(): string {
    return join(this.#own, 'work');
  }

  /** Programs that the agent provides to the job. */
  get bin(): string {
    return join(this.#own, 'bin');
  }

  /** The list of the job's nodes for MPI. */
  get hostfile(): string {
    return join(this.#own, 'mpi-hostfile');
  }

  get uploads(): string {
    return join(this.path, 'uploads');
  }

  /** Files for `home` and `work` are created here first, on the same file system. */
  get stage(): string {
    return join(dirname(this.work), 'stage');
  }

  /** For temporary files that are removed at once. */
  get scratch(): string {
    return join(this.path, 'scratch');
  }

  archive(archiveId: string): string {
    return join(this.uploads, `archive-${archiveId}`);
  }

  get code(): string {
    return join(this.uploads, 'code');
  }

  /** Path of a unix socket of this job. */
  socket(kind: 's' | 'r' | 'a'): string {
    return join(this.#socketDir, `${this.#shortId}.${kind}`);
  }

  /** A folder that contains only the socket of the server. The job gets the whole folder. */
  get serverFolder(): string {
    return join(this.#socketDir, `${this.#shortId}.d`);
  }

  /**
   * The socket for a job that runs on this host's file system: beside its home if that path is
   * short enough, or beside its area, where the job may not write.
   */
  get serverSocket(): string {
    if (this.area !== null) return serverSocketOf(this.area);
    const path = join(this.path, 'server.sock');
    return Buffer.byteLength(path) <= LONGEST_SOCKET ? path : this.socket('a');
  }

  /**
   * The file with the notice of a process job: where the job's own user may write it, but not replace
   * it by a link.
   */
  get noticeFile(): string {
    return this.area === null ? join(this.path, 'notice') : noticeFileOf(this.area);
  }

  get #shortId(): string {
    return this.#id.replaceAll('-', '').slice(0, 16);
  }

  get #own(): string {
    return this.area ?? this.path;
  }

  make(): void {
    mkdirSync(this.uploads, { recursive: true, mode: 0o700 });
  }

  removeUploads(): void {
    rmSync(this.uploads, { recursive: true, force: true });
  }

  /**
   * Removes everything but the record. Removes as much as possible, and
   * rejects if something is left.
   */
  async removeContents(): Promise<void> {
    const inside = ['home', 'work', 'stage', 'bin'].map((name) => join(this.path, name));
    const folders = [...inside, this.uploads, this.scratch, this.spool, this.serverFolder];
    const files = [this.socket('s'), this.socket('r'), this.serverSocket, this.noticeFile];
    const mounted = mountPoints();
    const mountIn = (path: string) => mountWithin(real(path), mounted);
    await removeTrees(folders.filter((path) => mountIn(path) === undefined));
    for (const path of files) rmSync(path, { force: true });
    // A mount shows files that do not belong to the job: another machine's, or all of this host's.
    const mount = folders.map(mountIn).find((point) => point !== undefined);
    if (mount !== undefined) throw new Error(`something is still mounted at ${mount}`);
  }

  /** Rejects as `removeContents` does; then the record stays too. */
  async remove(): Promise<void> {
    await this.removeContents();
    rmSync(this.path, { recursive: true, force: true });
  }
}

function real(path: string): string {
  return existsSync(path) ? realpathSync(path) : path;
}
