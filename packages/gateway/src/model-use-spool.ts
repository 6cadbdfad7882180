import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GatewayCommand, GatewayFrame, GatewayModelUse } from '@dstack/contract/agent';
import { usageSum } from '@dstack/contract/usage';

type Sent = Extract<GatewayFrame, { type: 'usage' }>;

/** Uses that are sent together. */
interface Batch {
  readonly id: string;
  readonly files: readonly string[];
}

/** Uses in one message, and files that are read for it. */
const MOST = 1000;
/** Of files that contain the uses of others. */
const SUM = 'sum-';
/** The server may have failed to store a message, and has answered nothing. */
const AGAIN_MS = 5000;

/** Delivers what workers have stored about uses of models, until the server has confirmed it. */
export class ModelUseSpool {
  readonly #dir: string;
  readonly #send: (frame: Sent) => boolean;
  readonly #now: () => number;
  readonly #most: number;
  #sent: { readonly n: number; readonly batch: Batch; readonly at: number } | null = null;
  #last = 0;

  constructor(
    dir: string,
    send: (frame: Sent) => boolean,
    now: () => number = Date.now,
    most: number = MOST,
  ) {
    this.#dir = dir;
    this.#most = most;
    this.#send = send;
    this.#now = now;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    // The process before this one may have been killed before it had removed them.
    for (const file of readdirSync(dir)) if (file.startsWith(SUM)) this.#removeSummed(file);
  }

  /** The server is there again: what it has not confirmed is sent again. */
  connected(): void {
    this.#sent = null;
    this.deliver();
  }

  deliver(): void {
    if (this.#sent !== null && this.#now() - this.#sent.at < AGAIN_MS) return;
    const batch = this.#sent?.batch ?? this.#storedBatch() ?? this.#newBatch();
    if (batch === null) return;
    const { uses } = this.#sumOf(batch.files);
    this.#last += 1;
    const frame: Sent = { type: 'usage', n: this.#last, batch: batch.id, uses };
    if (this.#send(frame)) this.#sent = { n: this.#last, batch, at: this.#now() };
    else this.#addUp(batch);
  }

  used({ n }: Extract<GatewayCommand, { type: 'used' }>): void {
    if (this.#sent?.n !== n) return;
    for (const file of this.#sent.batch.files) rmSync(join(this.#dir, file), { force: true });
    // After its files, which would otherwise become part of another batch.
    rmSync(this.#batchPath, { force: true });
    this.#sent = null;
    this.deliver();
  }

  /** Adds up the uses in these files, as many of them as fit into one message. */
  #sumOf(names: readonly string[]): { readonly uses: GatewayModelUse[]; readonly files: string[] } {
    const sums = new Map<string, GatewayModelUse>();
    const files: string[] = [];
    for (const name of names) {
      const uses = new Map(usesIn(join(this.#dir, name)).map((use) => [keyOf(use), use]));
      const added = [...uses.keys()].filter((key) => !sums.has(key)).length;
      if (files.length > 0 && sums.size + added > this.#most) break;
      files.push(name);
      for (const [key, use] of uses) {
        const before = sums.get(key);
        sums.set(key, before ? usageSum(before, use) : use);
      }
    }
    return { uses: [...sums.values()], files };
  }

  /** The server is away: many files become one. `batch` may have been received, and stays as it is. */
  #addUp(batch: Batch): void {
    const sent = new Set(batch.files);
    const files = this.#files.filter((name) => !sent.has(name));
    if (files.length < 2 * this.#most) return;
    const { uses, files: of } = this.#sumOf(files.slice(0, this.#most));
    if (of.length < 2) return;
    const name = `${SUM}${randomUUID()}.json`;
    const path = join(this.#dir, name);
    try {
      writeFileSync(`${path}.new`, JSON.stringify({ uses, of } satisfies Sum), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    } catch {
      // A full disk: they stay where they are.
      rmSync(`${path}.new`, { force: true });
      return;
    }
    this.#removeSummed(name);
  }

  #removeSummed(sum: string): void {
    const { of = [] } = readJson<Sum>(join(this.#dir, sum)) ?? {};
    for (const name of of) rmSync(join(this.#dir, name), { force: true });
  }

  get #files(): string[] {
    return readdirSync(this.#dir).filter((name) => name.endsWith('.json'));
  }

  get #batchPath(): string {
    return join(this.#dir, 'batch');
  }

  /** What was sent by a process that was killed, and may have been received. */
  #storedBatch(): Batch | null {
    try {
      return JSON.parse(readFileSync(this.#batchPath, 'utf8')) as Batch;
    } catch {
      return null;
    }
  }

  /** Null: there is nothing to send, or no room to write down what is sent; it then stays where it is. */
  #newBatch(): Batch | null {
    const files = this.#files;
    if (files.length === 0) return null;
    const batch = { id: randomUUID(), files: this.#sumOf(files.slice(0, this.#most)).files };
    try {
      writeFileSync(`${this.#batchPath}.new`, JSON.stringify(batch), { mode: 0o600 });
      renameSync(`${this.#batchPath}.new`, this.#batchPath);
      return batch;
    } catch {
      return null;
    }
  }
}

const keyOf = ({ project, user, model, day }: GatewayModelUse) =>
  JSON.stringify([project, user, model, day]);

interface Sum {
  readonly uses: readonly GatewayModelUse[];
  /** Their files, which may still be there. */
  readonly of: readonly string[];
}

/** Empty: the file is damaged. */
function usesIn(path: string): readonly GatewayModelUse[] {
  const read = readJson<GatewayModelUse | Sum>(path);
  if (read === null) return [];
  return 'of' in read ? read.uses : [read];
}

function readJson<T>(path: string): T | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch {
    return null;
  }
}
