/**
 * The prices of `DSTACK_CATALOG_URL`, refreshed while the server runs. The last good ones stay, also over restarts:
 * an answer that is not a catalogue, or none at all, replaces nothing.
 */
import { type CatalogItem, parseCatalog } from '@dstack/backends';
import { errorMessage } from '@dstack/contract/error-message';
import type { Store } from '@dstack/store';
import type { Outgoing } from '../outgoing/outgoing.ts';
import type { Logger } from '../process/logging.ts';

export interface CatalogRefreshOptions {
  readonly url: string;
  /** Its content is replaced, so that every user of it has the new prices. */
  readonly catalog: Map<string, readonly CatalogItem[]>;
  readonly meta: Pick<Store['meta'], 'get' | 'set'>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly log: Logger;
  readonly outgoing: Pick<Outgoing, 'get'>;
}

/** The catalog that the database stores for all servers. */
interface KeptCatalog {
  readonly url: string;
  /** When it was last known to be what the address has, in milliseconds since the epoch. */
  readonly at: number;
  readonly etag: string | null;
  readonly text: string;
}

const FACT = 'catalog';
const EVERY_MS = 6 * 3_600_000;
/** After a failure; doubled with each further one. */
const AGAIN_MS = 60_000;
const MOST_BYTES = 32 * 1024 * 1024;
const OK = 200;
const NOT_MODIFIED = 304;
/** Prices change slowly: younger ones need no remark. */
const OLD_MS = 24 * 3_600_000;

export class CatalogRefresh {
  readonly #options: CatalogRefreshOptions;
  #kept: KeptCatalog | null = null;
  #failures = 0;
  #error: string | null = null;
  #timer: NodeJS.Timeout | undefined;
  readonly #over = new AbortController();
  #round: Promise<void> = Promise.resolve();

  constructor(options: CatalogRefreshOptions) {
    this.#options = options;
  }

  /** Uses what the database has; then asks for news without waiting for it. */
  async start(): Promise<void> {
    await this.#load().catch((error: unknown) => {
      this.#options.log.warn({ err: error }, 'the stored catalogue was not read');
    });
    this.#begin();
  }

  async close(): Promise<void> {
    this.#over.abort();
    clearTimeout(this.#timer);
    await this.#round;
  }

  /** Asks once. */
  async refresh(): Promise<void> {
    try {
      await this.#refresh();
      this.#failures = 0;
      this.#error = null;
    } catch (error) {
      if (this.#over.signal.aborted) return;
      this.#failures++;
      this.#error = errorMessage(error);
      // The address may contain a key.
      const { hostname } = new URL(this.#options.url);
      this.#options.log.warn({ host: hostname, err: error }, 'the catalogue was not refreshed');
    }
  }

  /** For plans: where the prices are from, and how old they are; null = they are recent. */
  get note(): string | null {
    const { url, now } = this.#options;
    const { hostname } = new URL(url);
    const why = this.#error === null ? '' : `, because it was not refreshed: ${this.#error}`;
    if (this.#kept === null) {
      return `prices are samples: the catalogue of ${hostname} has not been read yet${why}`;
    }
    const age = now() - this.#kept.at;
    // A wrong clock may have dated it ahead.
    if (age >= 0 && age < OLD_MS) return null;
    const when = new Date(this.#kept.at).toISOString().slice(0, 10);
    return `prices are of the catalogue of ${hostname} of ${when}${why}`;
  }

  #begin(): void {
    this.#round = this.refresh().then(() => {
      if (this.#over.signal.aborted) return;
      const ms =
        this.#failures === 0 ? EVERY_MS : Math.min(EVERY_MS, AGAIN_MS * 2 ** (this.#failures - 1));
      this.#timer = setTimeout(() => this.#begin(), ms * (0.9 + Math.random() * 0.2)).unref();
    });
  }

  async #load(): Promise<void> {
    const { meta, url } = this.#options;
    const text = await meta.get(FACT);
    const kept = text === null ? null : (JSON.parse(text) as KeptCatalog);
    // Prices of another address are not those that the operator wants.
    if (kept === null || kept.url !== url) return;
    this.#use(kept);
  }

  async #refresh(): Promise<void> {
    const { url, now, outgoing } = this.#options;
    const { etag = null } = this.#kept ?? {};
    const headers = { accept: 'text/csv', ...(etag !== null && { 'if-none-match': etag }) };
    const asked = { headers, maxBytes: MOST_BYTES, signal: this.#over.signal };
    const { status, header, body } = await outgoing.get(url, asked);
    if (status === NOT_MODIFIED && this.#kept !== null) {
      await this.#keep({ ...this.#kept, at: now() });
      return;
    }
    if (status !== OK) throw new Error(`status ${status}`);
    const kept = { url, at: now(), etag: header('etag'), text: body.toString('utf8') };
    this.#use(kept);
    await this.#keep(kept);
  }

  async #keep(kept: KeptCatalog): Promise<void> {
    this.#kept = kept;
    await this.#options.meta.set(FACT, JSON.stringify(kept));
  }

  /** Throws before anything is replaced. */
  #use(kept: KeptCatalog): void {
    const { catalog } = this.#options;
    const parsed = parseCatalog(kept.text);
    if (parsed.size === 0) throw new Error('it contains no prices');
    catalog.clear();
    for (const [name, items] of parsed) catalog.set(name, items);
    this.#kept = kept;
  }
}
