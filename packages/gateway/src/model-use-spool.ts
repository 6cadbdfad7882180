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

/** Uses in one message. */
const MOST = 1000;
/** The server may have failed to store a message, and has answered nothing. */
const AGAIN_MS = 5000;

/** Delivers what workers have stored about uses of models, until the server has confirmed it. */
export class ModelUseSpool {
  readonly #dir: string;
  readonly #send: (frame: Sent) => boolean;
  readonly #now: () => number;
  #sent: { readonly n: number; readonly batch: Batch; readonly at: number } | null = null;
  #last = 0;

  constructor(dir: string, send: (frame: Sent) => boolean, now: () => number = Date.now) {
    this.#dir = dir;
    this.#send = send;
    this.#now = now;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
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
    const uses = new Map<string, GatewayModelUse>();
    for (const file of batch.files) {
      const use = readUse(join(this.#dir, file));
      if (use === null) continue;
      const key = JSON.stringify([use.project, use.user, use.model, use.day]);
      const before = uses.get(key);
      uses.set(key, before ? usageSum(before, use) : use);
    }
    this.#last += 1;
    const frame: Sent = { type: 'usage', n: this.#last, batch: batch.id, uses: [...uses.values()] };
    if (this.#send(frame)) this.#sent = { n: this.#last, batch, at: this.#now() };
  }

  used({ n }: Extract<GatewayCommand, { type: 'used' }>): void {
    if (this.#sent?.n !== n) return;
    for (const file of this.#sent.batch.files) rmSync(join(this.#dir, file), { force: true });
    // After its files, which would otherwise become part of another batch.
    rmSync(this.#batchPath, { force: true });
    this.#sent = null;
    this.deliver();
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
    const files = readdirSync(this.#dir).filter((name) => name.endsWith('.json'));
    if (files.length === 0) return null;
    const batch = { id: randomUUID(), files: files.slice(0, MOST) };
    try {
      writeFileSync(`${this.#batchPath}.new`, JSON.stringify(batch), { mode: 0o600 });
      renameSync(`${this.#batchPath}.new`, this.#batchPath);
      return batch;
    } catch {
      return null;
    }
  }
}

/** Null: the file is damaged. */
function readUse(path: string): GatewayModelUse | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as GatewayModelUse;
  } catch {
    return null;
  }
}
