import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { JobFailure } from '../../executor/job-failure.ts';
import { writeDurably } from '../../host/durable-file.ts';
import { processesByUser } from '../../host/process-users.ts';
import { withHostLock } from './claim-lock.ts';
import { removeArea } from './job-area.ts';
import { isKnownToSystem } from './system-users.ts';

/** User ids, both ends included. */
export interface UidRange {
  readonly first: number;
  readonly last: number;
}

/** The job that has a user id. */
interface Claim {
  /** The job's folder in the state of its agent: the claim is valid while it holds a record. */
  readonly folder: string;
  /** Where the files of the job's user lie. */
  readonly area: string;
}

export interface UidClaimsOptions {
  /** Beside the homes of jobs. All agents of this host share it, also those of other servers. */
  readonly dir: string;
  readonly uids: UidRange;
}

/**
 * Gives each job a user id that no other job of this host has, in any installation, and that no
 * process or file of an earlier job has. A claim is a file named after the id: it exists before the
 * first process or file of that user and is removed after the last. Every installation removes the
 * leftovers of the others.
 */
export class UidClaims {
  readonly #options: UidClaimsOptions;

  constructor(options: UidClaimsOptions) {
    this.#options = options;
  }

  /** The id of the job with that folder. Repeated calls return the same id. */
  claim(claim: Claim): Promise<number> {
    return this.#locked(async () => {
      const claims = this.#claims();
      const known = [...claims].find(([, other]) => other.folder === claim.folder);
      if (known) return known[0];
      const uid = await this.#free(claims);
      writeDurably(this.#path(uid), JSON.stringify(claim));
      writeDurably(this.#lastPath, String(uid));
      return uid;
    });
  }

  /** Releases the job's id, which must have no processes and files any more. Repeatable. */
  release(folder: string): Promise<void> {
    return this.#locked(() => {
      for (const [uid, claim] of this.#claims()) if (claim.folder === folder) this.#remove(uid);
    });
  }

  /** The id of a job that has one. */
  async find(folder: string): Promise<number | null> {
    if (!existsSync(this.#options.dir)) return null;
    const claims = await this.#locked(() => this.#claims());
    return [...claims].find(([, claim]) => claim.folder === folder)?.[0] ?? null;
  }

  /** Removes the leftovers of jobs without a record of an agent. */
  async sweep(): Promise<void> {
    if (!existsSync(this.#options.dir)) return;
    await this.#locked(async () => {
      const busy = processesByUser();
      for (const [uid, claim] of this.#claims()) await this.#clear(uid, claim, busy);
    });
  }

  /** Searches from the last id given, so that an id is reused as late as possible. */
  async #free(claims: ReadonlyMap<number, Claim>): Promise<number> {
    const { first, last } = this.#options.uids;
    const size = last - first + 1;
    const lastGiven = this.#last();
    const from = lastGiven >= first && lastGiven <= last ? lastGiven - first + 1 : 0;
    const busy = processesByUser();
    for (let step = 0; step < size; step++) {
      const uid = first + ((from + step) % size);
      const claim = claims.get(uid);
      if (claim && !(await this.#clear(uid, claim, busy))) continue;
      if (!busy.has(uid) && !isKnownToSystem(uid)) return uid;
    }
    throw new JobFailure(
      'executor_error',
      `No user id is free for the job: all of ${first}-${last} (DSTACK_LOCAL_UIDS) are in use`,
    );
  }

  /** False: the id is still in use. */
  async #clear(uid: number, claim: Claim, busy: ReadonlyMap<number, unknown>): Promise<boolean> {
    if (existsSync(join(claim.folder, 'record.json')) || busy.has(uid)) return false;
    try {
      await removeArea(claim.area, dirname(this.#options.dir));
      this.#remove(uid);
      return true;
    } catch {
      // The id stays reserved while files of its user exist.
      return false;
    }
  }

  #claims(): Map<number, Claim> {
    const found = new Map<number, Claim>();
    for (const name of readdirSync(this.#options.dir)) {
      if (!/^\d+$/.test(name)) continue;
      found.set(Number(name), readClaim(join(this.#options.dir, name)));
    }
    return found;
  }

  #last(): number {
    try {
      return Number(readFileSync(this.#lastPath, 'utf8')) || 0;
    } catch {
      return 0;
    }
  }

  #remove(uid: number): void {
    rmSync(this.#path(uid), { force: true });
  }

  #path(uid: number): string {
    return join(this.#options.dir, String(uid));
  }

  get #lastPath(): string {
    return join(this.#options.dir, 'last');
  }

  #locked<T>(work: () => T | Promise<T>): Promise<T> {
    mkdirSync(this.#options.dir, { recursive: true, mode: 0o700 });
    return withHostLock(join(this.#options.dir, 'lock'), work);
  }
}

/**
 * Claims are written atomically. One that cannot be read is damaged, and its id is never reused.
 */
function readClaim(path: string): Claim {
  try {
    const { folder, area } = JSON.parse(readFileSync(path, 'utf8'));
    return { folder: String(folder), area: String(area) };
  } catch {
    return { folder: '/', area: '' };
  }
}
