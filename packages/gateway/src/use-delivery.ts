/** What models have used, on the disk until the server has stored it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { GatewayModelUse } from '@dstack/contract/agent';
import { type UseBatch, UseSpool } from '@dstack/proxy';
import { GATEWAY_USES } from './use-kind.ts';

interface Waiting {
  readonly files: Set<string>;
  readonly done: () => void;
}

export class UseDelivery {
  readonly #dir: string;
  readonly #spool: UseSpool<GatewayModelUse>;
  readonly #waiting = new Set<Waiting>();

  /** `send`: false = there is no server. */
  constructor(dir: string, send: (batch: UseBatch<GatewayModelUse>) => boolean) {
    this.#dir = dir;
    this.#spool = new UseSpool({ dir, kind: GATEWAY_USES, send });
  }

  deliver(): void {
    this.#spool.deliver();
  }

  /** Calls `done` once the server has stored the uses in these files, or has disconnected. */
  deliverAll(files: readonly string[], done: () => void): void {
    // Others have been delivered meanwhile.
    const left = files.filter((name) => existsSync(join(this.#dir, name)));
    if (left.length === 0) {
      done();
      return;
    }
    this.#waiting.add({ files: new Set(left), done });
    this.deliver();
  }

  used(n: number): void {
    // Before the next batch: its files have no other names than those that are waited for.
    const stored = this.#spool.used(n);
    for (const one of this.#waiting) {
      for (const name of stored) one.files.delete(name);
      if (one.files.size === 0) this.#end(one);
    }
  }

  connected(): void {
    this.#spool.connected();
  }

  disconnected(): void {
    for (const one of this.#waiting) this.#end(one);
  }

  #end(one: Waiting): void {
    this.#waiting.delete(one);
    one.done();
  }
}
