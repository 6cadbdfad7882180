/** The open files of this process, of which each connection is one, and their limit. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { type Unobserved, withUnobserved } from '@dstack/core';
import type { Logger } from './logging.ts';

/** Errors of a process that can open nothing more. */
const SHORTAGES = new Set(['EMFILE', 'ENFILE', 'ENOMEM']);

/** From these shares of the limit on it warns, refuses new work, and judges no host. */
const WARN = 0.8;
const REFUSE = 0.9;
const SHORT = 0.95;

const EVERY_MS = 5000;
/**
 * After a recovery the server connects to all hosts at once, and that may be the next shortage: without a
 * pause one would follow the other without end.
 */
const REPORT_MS = 5000;
/** A count is used for this long: many hosts may be lost at once, and each asks for it. */
const FRESH_MS = 250;

const ADVICE =
  'raise the limit of open files of the server (`LimitNOFILE` of its systemd unit, or `ulimit -n` before it starts)';

/** Null: this process can open nothing, not even what the count needs. */
export type CountOpenFiles = () => number | null;

export interface OpenFilesOptions {
  readonly log: Logger;
  readonly limit?: number;
  readonly count?: CountOpenFiles;
  /** Monotonic, in milliseconds. */
  readonly now?: () => number;
}

/** A time in which it was short, in milliseconds before the question: `from` is the greater one. */
export interface Shortage {
  readonly from: number;
  readonly until: number;
}

/** Work that is refused because the server has too few open files left. Answered with 503. */
export class OutOfFiles extends Error {
  readonly retryAfterSeconds = 30;
}

export class OpenFiles {
  readonly limit: number;
  readonly #log: Logger;
  readonly #countNow: CountOpenFiles;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  #open = 0;
  #countedAt = Number.NEGATIVE_INFINITY;
  #hasWarned = false;
  /** From the last look that found enough to the next one. */
  #shortTimes: readonly Unobserved[] = [];
  #wasShort = false;
  #reportedAt = Number.NEGATIVE_INFINITY;
  readonly #recovered = new Set<() => void>();

  constructor({ log, limit, count, now }: OpenFilesOptions) {
    this.limit = limit ?? limitOfProcess();
    this.#log = log;
    this.#countNow = count ?? countOfProcess;
    this.#now = now ?? (() => performance.now());
    this.#timer = setInterval(() => this.#look(), EVERY_MS).unref();
  }

  /** The number of open files; the limit if even counting them failed. */
  get open(): number {
    if (this.#now() >= this.#countedAt + FRESH_MS) this.#look();
    return this.#open;
  }

  /** Whether so few are left that a failed connection is no sign of a fault on the other side. */
  get isShort(): boolean {
    return this.open >= this.limit * SHORT;
  }

  /** When it was short, oldest first; the last one ends now while it is. */
  get shortages(): readonly Shortage[] {
    const isShort = this.isShort;
    const now = this.#now();
    return this.#shortTimes.map(({ from, until }, index) => {
      const isLast = index === this.#shortTimes.length - 1;
      return { from: now - from, until: isShort && isLast ? 0 : now - until };
    });
  }

  /** Throws `OutOfFiles` while new work would harm what runs. */
  admitWork(): void {
    if (this.open < this.limit * REFUSE) return;
    const text = `The server has ${this.open} of at most ${this.limit} files open and takes no new work`;
    throw new OutOfFiles(`${text}: try again later. The operator can ${ADVICE}.`);
  }

  /**
   * Called when connections are possible again, at most once in five seconds: attempts that failed need not wait any
   * longer.
   */
  onRecovered(notify: () => void): void {
    this.#recovered.add(notify);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#recovered.clear();
  }

  #look(): void {
    this.#open = this.#countNow() ?? this.limit;
    const until = this.#now();
    const from = Number.isFinite(this.#countedAt) ? this.#countedAt : until;
    this.#countedAt = until;
    const isShort = this.#open >= this.limit * SHORT;
    // Between two looks of which one found too few, no connection may have been possible.
    if (isShort || this.#wasShort)
      this.#shortTimes = withUnobserved(this.#shortTimes, { from, until });
    if (this.#wasShort && !isShort) this.#reportRecovery(until);
    this.#wasShort = isShort;
    const isHigh = this.#open >= this.limit * WARN;
    if (isHigh === this.#hasWarned) return;
    this.#hasWarned = isHigh;
    const figures = { open: this.#open, limit: this.limit };
    if (isHigh) this.#log.warn(figures, `the server has few open files left: ${ADVICE}`);
    else this.#log.info(figures, 'the server has enough open files again');
  }

  /** `now` as of `#now`. After the look: its result may have been asked for in the middle of a decision. */
  #reportRecovery(now: number): void {
    if (now < this.#reportedAt + REPORT_MS) return;
    this.#reportedAt = now;
    queueMicrotask(() => {
      for (const notify of this.#recovered) notify();
    });
  }
}

/** The folder that lists the open files of this process, on Linux. */
const FILES = '/proc/self/fd';

function countOfProcess(): number | null {
  try {
    // Since Linux 6.2 the size of the folder is their number; to list thousands takes milliseconds.
    const { size } = statSync(FILES);
    // The list contains the descriptor by which it is read.
    return size > 0 ? size : readdirSync(FILES).length - 1;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Without /proc nothing is known, and nothing is refused.
    return code !== undefined && SHORTAGES.has(code) ? null : 0;
  }
}

export function limitOfProcess(): number {
  try {
    const line = readFileSync('/proc/self/limits', 'utf8')
      .split('\n')
      .find((one) => one.startsWith('Max open files'));
    const soft = Number(line?.slice('Max open files'.length).trim().split(' ')[0]);
    return Number.isInteger(soft) && soft > 0 ? soft : Infinity;
  } catch {
    // Another system than Linux: there is no limit to compare with.
    return Infinity;
  }
}
