import { existsSync, mkdirSync, realpathSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { mountPoints, mountWithin } from '../host/mount-points.ts';
import { removeTrees } from '../host/remove-trees.ts';

/** Bytes of a unix socket's path. */
const LONGEST_SOCKET = 107;

/** Part of a job's id: the whole of it would leave sockets in the job's home no room in their paths. */
const AREA_NAME_LENGTH = 12;

/** Where the job with this area finds its server. */
export function serverSocketOf(area: string): string {
  return `${area}.sock`;
}

/**
 * The files of one job: `<state directory>/jobs/<id>`. Only the agent's user may look inside, so what
 * belongs to a job with a user of its own lies in an area elsewhere.
 */
export class JobFolder {
  readonly path: string;
  /** What belongs to the job's own user; null: its files lie here. */
  readonly area: string | null;
  /** Directory for unix sockets; a path in `path` may be too long for one (107 bytes). */
  readonly #socketDir: string;
  readonly #id: string;

  /** `homes`: where the areas of jobs are. */
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

  /** Programs of ours for the job. */
  get bin(): string {
    return join(this.#own, 'bin');
  }

  /** Of the job's nodes, for MPI. */
  get hostfile(): string {
    return join(this.#own, 'mpi-hostfile');
  }

  get uploads(): string {
    return join(this.path, 'uploads');
  }

  /** Where what goes to `home` and `work` is made first, so on the same file system. */
  get stage(): string {
    return join(dirname(this.work), 'stage');
  }

  /** For what is made on the way and removed at once. */
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

  /** A folder for nothing but the socket that leads to the server, to be seen by the job as a whole. */
  get serverFolder(): string {
    return join(this.#socketDir, `${this.#shortId}.d`);
  }

  /**
   * The same for a job that sees this machine's files: beside its home, where that is short enough, or
   * beside its area, since it may not write to the folder around.
   */
  get serverSocket(): string {
    if (this.area !== null) return serverSocketOf(this.area);
    const path = join(this.path, 'server.sock');
    return Buffer.byteLength(path) <= LONGEST_SOCKET ? path : this.socket('a');
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
   * Everything but the record, which stays as a tombstone. Rejects when all that can be removed is
   * gone and something is left.
   */
  async removeContents(): Promise<void> {
    const inside = ['home', 'work', 'stage', 'bin'].map((name) => join(this.path, name));
    const folders = [...inside, this.uploads, this.scratch, this.spool, this.serverFolder];
    const sockets = [this.socket('s'), this.socket('r'), this.serverSocket];
    const mounted = mountPoints();
    const mountIn = (path: string) => mountWithin(real(path), mounted);
    await removeTrees(folders.filter((path) => mountIn(path) === undefined));
    for (const path of sockets) rmSync(path, { force: true });
    // What a job has mounted is not the job's: another machine's files, or all of this one's.
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
