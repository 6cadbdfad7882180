/** The disk that bodies of requests to models use, which the database of the server needs too. */
import { statfs } from 'node:fs/promises';
import { RefusedBody } from '../intake/body-refusal.ts';

const MIB = 1024 * 1024;

/** Bytes that bodies leave free on the disk. */
const KEPT_FREE = 512 * MIB;

/** The free space is read again after so many bytes: each takes a system call. */
const MEASURED_AFTER = 16 * MIB;

const RETRY_AFTER_SECONDS = 5;

export interface SpoolSpaceOptions {
  /** Folder of the bodies. */
  readonly dir: string;
  /** Bytes of all bodies; one project uses no more than half. */
  readonly most: number;
  /** Free bytes of the disk. */
  readonly free?: (dir: string) => Promise<number>;
}

export class SpoolSpace {
  readonly #options: SpoolSpaceOptions;
  readonly #byProject = new Map<string, number>();
  #used = 0;
  /** Bytes that may be written before the free space is read again. */
  #allowed = 0;

  constructor(options: SpoolSpaceOptions) {
    this.#options = options;
  }

  /** Bytes in use. */
  get used(): number {
    return this.#used;
  }

  /** For one body. The caller must release it once. */
  open(projectId: string): SpoolShare {
    let taken = 0;
    return {
      take: async (bytes) => {
        const { most } = this.#options;
        const own = this.#byProject.get(projectId) ?? 0;
        if (own + bytes > most / 2 || this.#used + bytes > most) throw noSpace();
        taken += bytes;
        this.#note(projectId, bytes);
        this.#allowed -= bytes;
        if (this.#allowed < 0) await this.#measure();
      },
      release: () => {
        this.#note(projectId, -taken);
        taken = 0;
      },
    };
  }

  async #measure(): Promise<void> {
    const { dir, free = freeBytes } = this.#options;
    const left = (await free(dir)) - KEPT_FREE;
    if (left < MEASURED_AFTER) throw noSpace();
    this.#allowed = MEASURED_AFTER;
  }

  #note(projectId: string, bytes: number): void {
    this.#used += bytes;
    const own = (this.#byProject.get(projectId) ?? 0) + bytes;
    if (own > 0) this.#byProject.set(projectId, own);
    else this.#byProject.delete(projectId);
  }
}

export interface SpoolShare {
  /** Throws `RefusedBody` if there is no room. */
  take(bytes: number): Promise<void>;
  release(): void;
}

function noSpace(): RefusedBody {
  return new RefusedBody({ kind: 'no-memory', retryAfterSeconds: RETRY_AFTER_SECONDS });
}

async function freeBytes(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir);
  return bavail * bsize;
}
