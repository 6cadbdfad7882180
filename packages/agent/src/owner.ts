import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from './host/durable-file.ts';

/** The server that an agent belongs to, kept in its state directory. */
export class Owner {
  readonly #path: string;
  #id: string | null;

  constructor(stateDir: string) {
    this.#path = join(stateDir, 'owner');
    this.#id = existsSync(this.#path) ? readFileSync(this.#path, 'utf8').trim() : null;
  }

  get id(): string | null {
    return this.#id;
  }

  /** False when another server owns this agent; with `takeover` the claim always holds. */
  claim(serverId: string, takeover = false): boolean {
    if (this.#id === serverId) return true;
    if (this.#id !== null && !takeover) return false;
    writeDurably(this.#path, `${serverId}\n`);
    this.#id = serverId;
    return true;
  }
}
