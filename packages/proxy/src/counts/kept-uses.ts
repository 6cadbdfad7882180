import { mkdirSync } from 'node:fs';
import { isServerAway, type ServerLink } from '../link/server-link.ts';
import type { ProxyLog } from '../log.ts';
import type { MeteredUse, UseStore } from '../models/metered-use.ts';
import type { KeptFiles } from '../worker/protocol.ts';
import { keepItems } from './spool-delivery.ts';

export interface KeptUsesOptions {
  readonly link: Pick<ServerLink, 'ask' | 'isAlone'>;
  /** The folder of this worker, or of all workers of a gateway. */
  readonly dir: string;
  /** How a use is written, where that differs from `MeteredUse`. */
  readonly form?: (use: MeteredUse) => object;
  readonly log: ProxyLog;
}

/** Keeps what models have used on the disk; the process that leads this worker delivers it. */
export class KeptUses implements UseStore {
  readonly #options: KeptUsesOptions;

  constructor(options: KeptUsesOptions) {
    this.#options = options;
    mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  }

  /**
   * Resolves once it is durable, and known to the server if there is one: the next request of a token must find
   * what its budget has left.
   */
  async add(uses: readonly MeteredUse[]): Promise<void> {
    const { link, dir, form = (use) => use, log } = this.#options;
    const files = await keepItems(dir, uses.map(form));
    if (link.isAlone) return;
    const tokens = [...new Set(uses.flatMap(({ tokenId }) => tokenId ?? []))];
    try {
      await link.ask('deliver', { kind: 'uses', files, tokens } satisfies KeptFiles);
    } catch (error) {
      if (!isServerAway(error)) log.warn({ err: error }, 'uses of models are stored later');
    }
  }
}
