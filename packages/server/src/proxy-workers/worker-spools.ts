import type { Id } from '@dstack/core';
import {
  type KeptCount,
  type KeptFiles,
  keptCounts,
  type SpoolBatch,
  SpoolDelivery,
  type SpoolOptions,
} from '@dstack/proxy';
import type { ModelUse, Store } from '@dstack/store';
import type { Logger } from '../process/logging.ts';
import { MODEL_USES } from './use-kind.ts';
import { removeSpools, spooledIds, spoolPaths } from './worker-records.ts';

export interface WorkerSpoolsOptions {
  /** The folder of the workers. */
  readonly dir: string;
  readonly store: {
    readonly modelUsage: Pick<Store['modelUsage'], 'add'>;
    readonly services: Pick<Store['services'], 'addRequests'>;
  };
  /** Uses of these tokens are stored. */
  readonly onUsed: (tokenIds: readonly string[]) => void;
  /** Microseconds. */
  readonly now: () => number;
  readonly log: Logger;
}

/** Milliseconds after which the database is tried again with what it could not store. */
const AGAIN_MS = 1000;

interface Spools {
  readonly uses: SpoolDelivery<ModelUse>;
  readonly counts: SpoolDelivery<KeptCount>;
}

/** Stores what workers keep on the disk: each batch once, whichever process is killed. */
export class WorkerSpools {
  readonly #options: WorkerSpoolsOptions;
  /** By the id of the worker. */
  readonly #spools = new Map<string, Spools>();
  #collecting: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | null = null;

  constructor(options: WorkerSpoolsOptions) {
    this.#options = options;
  }

  /** Resolves once what is in these files is stored, or cannot be stored now. */
  async deliver(workerId: string, { kind, files }: KeptFiles): Promise<void> {
    const { uses, counts } = this.#of(workerId);
    if (kind === 'uses') await uses.deliverAll(files);
    else await counts.deliverEverything();
  }

  /** Stores what a worker has kept while there was no server. Returns whether nothing is left. */
  async deliverKept(workerId: string): Promise<boolean> {
    const { uses, counts } = this.#of(workerId);
    await Promise.all([uses.deliverEverything(), counts.deliverEverything()]);
    return uses.isEmpty && counts.isEmpty;
  }

  /** Stores what workers that have ended left on the disk. One at a time. */
  async collect(isThere: (workerId: string) => boolean): Promise<void> {
    this.#collecting = this.#collecting
      .then(() => this.#collectAll(isThere))
      .catch((error: unknown) => {
        this.#options.log.warn({ err: error }, 'what workers have kept was not collected');
      });
    await this.#collecting;
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #collectAll(isThere: (workerId: string) => boolean): Promise<void> {
    const { dir } = this.#options;
    for (const id of spooledIds(dir)) {
      // Files that cannot be stored now are stored later, by this server or the next one.
      if (isThere(id) || !(await this.deliverKept(id))) continue;
      this.#spools.delete(id);
      removeSpools(dir, id);
    }
  }

  #of(workerId: string): Spools {
    const known = this.#spools.get(workerId);
    if (known) return known;
    const { dir, store, onUsed, now } = this.#options;
    const paths = spoolPaths(dir, workerId);
    const once = (batch: string) => ({ workerId, batch, now: now() });
    const made: Spools = {
      uses: this.#spool<ModelUse>({ dir: paths.uses, kind: MODEL_USES }, async (uses, batch) => {
        await store.modelUsage.add(uses, { ...once(batch), kind: 'usage' });
        const tokens = [...new Set(uses.flatMap(({ tokenId }) => tokenId ?? []))];
        if (tokens.length > 0) onUsed(tokens);
      }),
      counts: this.#spool({ dir: paths.counts, kind: keptCounts(now) }, async (counts, batch) => {
        const delivery = { ...once(batch), kind: 'counts' } as const;
        await store.services.addRequests(workerId, counts, { signals: wokenBy(counts) }, delivery);
      }),
    };
    this.#spools.set(workerId, made);
    return made;
  }

  #spool<Item extends object>(
    of: Pick<SpoolOptions<Item>, 'dir' | 'kind'>,
    store: (items: readonly Item[], batch: string) => Promise<void>,
  ): SpoolDelivery<Item> {
    const { log } = this.#options;
    const send = async ({ n, batch, items }: SpoolBatch<Item>): Promise<void> => {
      try {
        await store(items, batch);
        spool.used(n);
      } catch (error) {
        log.warn({ err: error }, 'what a worker has kept is stored later');
        spool.failed(n);
        this.#again();
      }
    };
    const spool: SpoolDelivery<Item> = new SpoolDelivery<Item>({
      ...of,
      send: (batch) => {
        void send(batch);
        return true;
      },
    });
    return spool;
  }

  #again(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      for (const id of this.#spools.keys()) void this.deliverKept(id);
    }, AGAIN_MS).unref();
  }
}

/** Has runs examined of which a request waits for a replica. */
export function wokenBy(counts: readonly KeptCount[]): { readonly kind: 'run'; readonly id: Id }[] {
  return counts.flatMap(({ runId: id, wakes }) => (wakes ? [{ kind: 'run', id }] : []));
}
