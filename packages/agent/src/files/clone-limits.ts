/** Ends a clone that takes more time or disk than the server allows. */
import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { CloneLimits } from '@dstack/contract/agent';
import { formatMemory } from '@dstack/contract/memory';
import type { CloneUser } from './clone-place.ts';

export interface LimitedWork {
  /** Null: none, from older servers. */
  readonly limits: CloneLimits | null;
  /** The directories that are measured; they need not exist yet. */
  readonly dirs: readonly string[];
  readonly user: CloneUser | null;
  readonly signal: AbortSignal;
}

/** The work gets a signal that is aborted at a limit, whose error this throws then. */
export async function withinLimits<T>(
  { limits, dirs, user, signal }: LimitedWork,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const done = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const { bytes = null, seconds = null } = limits ?? {};
  const timer =
    seconds === null
      ? null
      : setTimeout(() => over.abort(new Error(overTime(seconds))), seconds * 1000);
  const disk = bytes === null ? null : new DiskLimit(bytes, dirs, user);
  disk?.watch(done.signal).catch((error: unknown) => over.abort(error));
  try {
    const result = await work(either);
    // The last look may be seconds old.
    await disk?.check(signal);
    return result;
  } catch (error) {
    over.signal.throwIfAborted();
    throw error;
  } finally {
    done.abort();
    if (timer) clearTimeout(timer);
  }
}

const advice =
  'clone less of it, or let an administrator of the server raise the setting for all repos';

const overTime = (seconds: number): string =>
  `the clone took longer than ${seconds} seconds, the limit DSTACK_SERVER_CLONE_TIMEOUT of the server: ${advice}`;

export const overSize = (bytes: number): string =>
  `the clone takes more than ${formatMemory(bytes / 2 ** 30)} of disk, the limit DSTACK_SERVER_CLONE_MAX_SIZE of the server: ${advice}`;

const run = promisify(execFile);

/** A look takes long in a tree of many files: it never runs for more than a tenth of the time. */
const LOOK_MS = 1000;
const SHARE = 10;

class DiskLimit {
  readonly #bytes: number;
  readonly #dirs: readonly string[];
  readonly #user: CloneUser | null;

  constructor(bytes: number, dirs: readonly string[], user: CloneUser | null) {
    this.#bytes = bytes;
    this.#dirs = dirs;
    this.#user = user;
  }

  /** Ends with the signal; throws as soon as the limit is passed. */
  async watch(signal: AbortSignal): Promise<void> {
    try {
      for (let wait = LOOK_MS; ; ) {
        await delay(wait, undefined, { signal, ref: false });
        const started = performance.now();
        await this.check(signal);
        wait = Math.max(LOOK_MS, SHARE * (performance.now() - started));
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async check(signal: AbortSignal): Promise<void> {
    if ((await this.#used(signal)) > this.#bytes) throw new Error(overSize(this.#bytes));
  }

  /** By the user of the files: git may replace a directory by a link meanwhile. */
  async #used(signal: AbortSignal): Promise<number> {
    const env = { PATH: process.env.PATH, LC_ALL: 'C' };
    const options = { cwd: '/', env, signal, ...this.#user };
    const lines = await run('du', ['-skx', ...this.#dirs], options).then(
      ({ stdout }) => stdout,
      (error: NodeJS.ErrnoException & { stdout?: string }) => {
        if (error.code === 'ENOENT') throw new Error('du is not installed on the host');
        // Files come and go during a look; what it counted is on the output all the same.
        return error.stdout ?? '';
      },
    );
    const kilobytes = lines.split('\n').map((line) => Number.parseInt(line, 10) || 0);
    return kilobytes.reduce((sum, each) => sum + each, 0) * 1024;
  }
}
