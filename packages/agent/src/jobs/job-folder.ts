import { existsSync, mkdirSync, realpathSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { mountPoints, mountWithin } from './mount-points.ts';

/** Bytes of a unix socket's path. */
const LONGEST_SOCKET = 107;

/** The files of one job: `<state directory>/jobs/<id>`. Only the agent's user may look inside. */
export class JobFolder {
  readonly path: string;
  /** Directory for unix sockets; a path in `path` may be too long for one (107 bytes). */
  readonly #socketDir: string;
  readonly #id: string;

  constructor(jobsDir: string, id: string, socketDir: string) {
    this.path = join(jobsDir, id);
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
    return join(this.path, 'home');
  }

  get work(): string {
    return join(this.path, 'work');
  }

  /** Programs of ours for the job. */
  get bin(): string {
    return join(this.path, 'bin');
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

  /** The same for a job that sees this machine's files: beside its home, where that is short enough. */
  get serverSocket(): string {
    const path = join(this.path, 'server.sock');
    return Buffer.byteLength(path) <= LONGEST_SOCKET ? path : this.socket('a');
  }

  get #shortId(): string {
    return this.#id.replaceAll('-', '').slice(0, 16);
  }

  make(): void {
    mkdirSync(this.uploads, { recursive: true, mode: 0o700 });
  }

  removeUploads(): void {
    rmSync(this.uploads, { recursive: true, force: true });
  }

  /**
   * Everything but the record, which stays as a tombstone. Throws when all that can be removed is
   * gone and something is left.
   */
  removeContents(): void {
    const folders = [
      ...[this.home, this.work, this.stage, this.bin],
      ...[this.uploads, this.scratch, this.spool, this.serverFolder],
    ];
    const sockets = [this.socket('s'), this.socket('r'), this.serverSocket];
    const failures: unknown[] = [];
    const mounted = mountPoints();
    for (const path of [...folders, ...sockets]) {
      try {
        // What a job has mounted is not the job's: another machine's files, or all of this one's.
        const mount = mountWithin(real(path), mounted);
        if (mount !== undefined) throw new Error(`something is still mounted at ${mount}`);
        rmSync(path, { recursive: folders.includes(path), force: true });
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  /** Throws as `removeContents` does; then the record stays too. */
  remove(): void {
    this.removeContents();
    rmSync(this.path, { recursive: true, force: true });
  }
}

function real(path: string): string {
  return existsSync(path) ? realpathSync(path) : path;
}
