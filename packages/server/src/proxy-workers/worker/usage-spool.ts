import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import type { ModelUsage, ModelUse } from '@dstack/store';
import { keptUses } from '../kept-uses.ts';
import { isServerAway, type ServerLink } from './server-link.ts';

/** What requests to models have used; kept in a file while the server is away. */
export class UsageSpool implements Pick<ModelUsage, 'add'> {
  readonly #link: ServerLink;
  readonly #path: string;

  constructor(link: ServerLink, path: string) {
    this.#link = link;
    this.#path = path;
    link.onPresent(() => void this.#deliver());
  }

  /** Resolves once it is durable. */
  async add(uses: readonly ModelUse[]): Promise<void> {
    try {
      await this.#link.request('usage', { uses });
    } catch (error) {
      if (!isServerAway(error)) throw error;
      this.#keep(uses);
      // The server may have come back while this was written.
      if (this.#link.isPresent) await this.#deliver();
    }
  }

  #keep(uses: readonly ModelUse[]): void {
    const file = openSync(this.#path, 'a', 0o600);
    try {
      writeSync(file, uses.map((use) => `${JSON.stringify(use)}\n`).join(''));
      fdatasyncSync(file);
    } finally {
      closeSync(file);
    }
  }

  async #deliver(): Promise<void> {
    const uses = keptUses(this.#path);
    if (uses.length === 0) return;
    // A new use during the request goes to the server directly: nothing is added to the file.
    rmSync(this.#path, { force: true });
    try {
      await this.#link.request('usage', { uses });
    } catch {
      this.#keep(uses);
    }
  }
}
