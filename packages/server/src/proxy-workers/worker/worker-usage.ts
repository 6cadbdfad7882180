import {
  isServerAway,
  keepUse,
  newUseName,
  type ProxyLog,
  type ServerLink,
  type UseBatch,
  UseSpool,
} from '@dstack/proxy';
import type { ModelUsage, ModelUse } from '@dstack/store';
import { MODEL_USES } from '../use-kind.ts';

/** The use of models, on the disk until the server has stored it; the server adds each batch once. */
export class WorkerUsage implements Pick<ModelUsage, 'add'> {
  readonly #link: ServerLink;
  readonly #dir: string;
  readonly #log: ProxyLog;
  readonly #spool: UseSpool<ModelUse>;
  /** By the names of their files: called once the server has stored them, or is away. */
  readonly #waiting = new Map<string, () => void>();

  constructor(link: ServerLink, dir: string, log: ProxyLog) {
    this.#link = link;
    this.#dir = dir;
    this.#log = log;
    this.#spool = new UseSpool({ dir, kind: MODEL_USES, send: (batch) => this.#send(batch) });
    link.onPresent(() => this.#spool.connected());
  }

  /**
   * Resolves once it is durable, and known to the server if there is one: the next request of a token must find
   * what its budget has left.
   */
  async add(uses: readonly ModelUse[]): Promise<void> {
    const kept = uses.map((use) => ({
      use,
      name: newUseName(),
      known: Promise.withResolvers<void>(),
    }));
    // Before they are written: another request may deliver them at once.
    for (const { name, known } of kept) this.#waiting.set(name, known.resolve);
    try {
      await Promise.all(kept.map(({ use, name }) => keepUse(this.#dir, use, name)));
      this.#spool.deliver();
      // The server may have disconnected meanwhile.
      if (!this.#link.isAway) await Promise.all(kept.map(({ known }) => known.promise));
    } finally {
      for (const { name } of kept) this.#waiting.delete(name);
    }
  }

  /** Called once a second: what the server could not store is sent again. */
  sweep(): void {
    if (!this.#link.isAway && !this.#spool.isEmpty) this.#spool.deliver();
  }

  #send({ n, batch, uses }: UseBatch<ModelUse>): boolean {
    if (this.#link.isAway) return false;
    this.#link.ask('usage', { batch, uses }).then(
      () => {
        for (const name of this.#spool.used(n)) this.#know(name);
      },
      (error) => {
        this.#spool.failed(n);
        if (!isServerAway(error)) this.#log.warn({ err: error }, 'uses of models are stored later');
        // They are on the disk.
        for (const name of this.#waiting.keys()) this.#know(name);
      },
    );
    return true;
  }

  #know(name: string): void {
    this.#waiting.get(name)?.();
    this.#waiting.delete(name);
  }
}
