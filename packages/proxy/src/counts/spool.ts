import { randomUUID } from 'node:crypto';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** A kind of items that can be added up. */
export interface SpoolKind<Item> {
  keyOf(item: Item): string;
  sum(one: Item, other: Item): Item;
  /** Whether it still has a meaning; by default, always. */
  isWanted?(item: Item): boolean;
}

/** Items that are sent until the server confirms them, always as the same batch. */
export interface SpoolBatch<Item> {
  /** The number of this sending, for `used` and `failed`. */
  readonly n: number;
  readonly batch: string;
  readonly items: readonly Item[];
}

export interface SpoolOptions<Item> {
  readonly dir: string;
  readonly kind: SpoolKind<Item>;
  /** Returns whether there is a server to receive it; `used` is called when it has stored it. */
  readonly send: (batch: SpoolBatch<Item>) => boolean;
  /** Milliseconds. */
  readonly now?: () => number;
  readonly most?: number;
}

/** Files whose items are sent together. */
interface Batch {
  readonly id: string;
  readonly files: readonly string[];
}

/** The latest sending of a batch that was not confirmed. */
interface Sending {
  readonly batch: Batch;
  readonly n: number;
  /** Milliseconds. */
  readonly at: number;
  /** It is sent again after this time (ms). */
  readonly waitMs: number;
}

/** Items in one message, and files that are read for it. */
const MOST = 1000;
/** The prefix of files that contain the items of other files. */
const SUM = 'sum-';
/** The ending of a file that is being written. */
const NEW = '.new';
/** A file is written in less time (ms), unless its process was killed. */
const WRITTEN_MS = 600_000;
/**
 * The server may have failed to store a message, and has answered nothing. The time is doubled with each sending of one
 * batch: a server that is slower than this confirms none of them before the next one.
 */
const AGAIN_MS = 5000;
const LONGEST_WAIT_MS = 300_000;

/** A name for a new file. */
export const newItemName = (): string => `${randomUUID()}.json`;

/** Writes an item to a file of its own, so that a killed process loses none. Resolves once it is durable. */
export async function keepItem(dir: string, item: object, name = newItemName()): Promise<void> {
  const path = join(dir, name);
  try {
    const file = await open(`${path}${NEW}`, 'w', 0o600);
    try {
      await file.writeFile(JSON.stringify(item));
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(`${path}${NEW}`, path);
  } catch (error) {
    // On a full disk each attempt would leave a file.
    await rm(`${path}${NEW}`, { force: true }).catch(() => {});
    throw error;
  }
}

/**
 * Writes items to one file: a process that is killed loses none, and a computer that loses its power those of some
 * seconds. Returns the name of the file.
 */
export function keepTogether(dir: string, items: readonly object[], name = newItemName()): string {
  writeWhole(join(dir, name), { uses: items, of: [] });
  return name;
}

/** In one step: the whole file is there, or nothing is. */
function writeWhole(path: string, content: object): void {
  try {
    writeFileSync(`${path}${NEW}`, JSON.stringify(content), { mode: 0o600 });
    renameSync(`${path}${NEW}`, path);
  } catch (error) {
    // On a full disk each attempt would leave a file.
    removeIfPossible(`${path}${NEW}`);
    throw error;
  }
}

function removeIfPossible(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // A folder has this name, or the folder that it was in is missing.
  }
}

/** Delivers what is kept in a folder, until the server has confirmed it. */
export class Spool<Item extends object> {
  readonly #dir: string;
  readonly #kind: SpoolKind<Item>;
  readonly #send: SpoolOptions<Item>['send'];
  readonly #now: () => number;
  readonly #most: number;
  #sent: Sending | null = null;
  #last = 0;

  constructor({ dir, kind, send, now = () => performance.now(), most = MOST }: SpoolOptions<Item>) {
    this.#dir = dir;
    this.#kind = kind;
    this.#most = most;
    this.#send = send;
    this.#now = now;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    // The process before this one may have been killed before it had removed them.
    for (const file of readdirSync(dir)) {
      if (!file.startsWith(SUM)) this.#removeUnfinished(file);
      else if (file.endsWith('.json')) this.#removeSummed(file);
      // Killed before it counted: the files that it adds up are there.
      else rmSync(join(dir, file), { force: true });
    }
  }

  /** A process was killed while it wrote the file. Others may be writing theirs. */
  #removeUnfinished(file: string): void {
    if (!file.endsWith(NEW)) return;
    const path = join(this.#dir, file);
    const writtenAt = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Math.abs(Date.now() - writtenAt) > WRITTEN_MS) removeIfPossible(path);
  }

  /** The server is there again: what it has not confirmed is sent again. */
  connected(): void {
    this.#sent = null;
    this.deliver();
  }

  deliver(): void {
    const before = this.#sent;
    if (before !== null && this.#now() - before.at < before.waitMs) return;
    const batch = before?.batch ?? this.#storedBatch() ?? this.#newBatch();
    if (batch === null) return;
    const { items } = this.#sumOf(batch.files);
    this.#last += 1;
    const n = this.#last;
    // Before it is sent: the confirmation may come at once.
    const waitMs = before === null ? AGAIN_MS : Math.min(2 * before.waitMs, LONGEST_WAIT_MS);
    this.#sent = { batch, n, at: this.#now(), waitMs };
    if (this.#send({ n, batch: batch.id, items })) return;
    this.#sent = null;
    this.#addUp(batch);
  }

  /**
   * The server has stored the batch that was sent with this number. Returns the files that it was made of. Only the
   * latest sending counts: the server stores the id of the last batch alone, and must not receive the next one before it.
   */
  used(n: number): readonly string[] {
    if (this.#sent?.n !== n) return [];
    const { files } = this.#sent.batch;
    for (const file of files) rmSync(join(this.#dir, file), { force: true });
    // After its files, which would otherwise become part of another batch.
    rmSync(this.#batchPath, { force: true });
    this.#sent = null;
    this.deliver();
    return files;
  }

  /** The server has not stored it: the next delivery sends it again, as the same batch. */
  failed(n: number): void {
    if (this.#sent?.n === n) this.#sent = null;
  }

  /** A batch was sent that the server has neither confirmed nor refused. */
  get isSending(): boolean {
    return this.#sent !== null;
  }

  /** Nothing is left to deliver. */
  get isEmpty(): boolean {
    return this.files.length === 0;
  }

  /** Adds up the items in these files, as many of them as fit into one message. */
  #sumOf(names: readonly string[]): { readonly items: Item[]; readonly files: string[] } {
    const { keyOf, sum, isWanted = () => true } = this.#kind;
    const sums = new Map<string, Item>();
    const files: string[] = [];
    for (const name of names) {
      const found = itemsIn<Item>(join(this.#dir, name)).filter((item) => isWanted(item));
      const items = new Map(found.map((item) => [keyOf(item), item]));
      const added = [...items.keys()].filter((key) => !sums.has(key)).length;
      if (files.length > 0 && sums.size + added > this.#most) break;
      files.push(name);
      for (const [key, item] of items) {
        const before = sums.get(key);
        sums.set(key, before ? sum(before, item) : item);
      }
    }
    return { items: [...sums.values()], files };
  }

  /** The server is away: many files become one. `batch` may have been received, and stays as it is. */
  #addUp(batch: Batch): void {
    const sent = new Set(batch.files);
    const files = this.files.filter((name) => !sent.has(name));
    if (files.length < 2 * this.#most) return;
    const { items: uses, files: of } = this.#sumOf(files.slice(0, this.#most));
    if (of.length < 2) return;
    const name = `${SUM}${randomUUID()}.json`;
    const path = join(this.#dir, name);
    try {
      writeWhole(path, { uses, of } satisfies Sum<Item>);
    } catch {
      // A full disk: they stay where they are.
      return;
    }
    this.#removeSummed(name);
  }

  #removeSummed(sum: string): void {
    const { of = [] } = readJson<Sum<Item>>(join(this.#dir, sum)) ?? {};
    for (const name of of) rmSync(join(this.#dir, name), { force: true });
  }

  /** Names of what is kept. */
  get files(): string[] {
    return readdirSync(this.#dir).filter((name) => name.endsWith('.json'));
  }

  get #batchPath(): string {
    return join(this.#dir, 'batch');
  }

  /** The last batch that was not confirmed, which the server may have received; null = there is none. */
  #storedBatch(): Batch | null {
    try {
      return JSON.parse(readFileSync(this.#batchPath, 'utf8')) as Batch;
    } catch {
      return null;
    }
  }

  /** Null: there is nothing to send, or no room to write down what is sent; it then stays where it is. */
  #newBatch(): Batch | null {
    const files = this.files;
    if (files.length === 0) return null;
    const batch = { id: randomUUID(), files: this.#sumOf(files.slice(0, this.#most)).files };
    try {
      writeWhole(this.#batchPath, batch);
      return batch;
    } catch {
      return null;
    }
  }
}

interface Sum<Item> {
  readonly uses: readonly Item[];
  /** The files that they were read from, which may still be there. */
  readonly of: readonly string[];
}

/** Empty: the file is damaged. */
function itemsIn<Item extends object>(path: string): readonly Item[] {
  const read = readJson<Item | Sum<Item>>(path);
  if (read === null) return [];
  return 'of' in read && 'uses' in read ? read.uses : [read as Item];
}

function readJson<T>(path: string): T | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch {
    return null;
  }
}
