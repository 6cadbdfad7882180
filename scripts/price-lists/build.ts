/** A new catalogue from the last one and the price lists of providers. */
import { errorMessage } from '@dstack/contract/error-message';
import { parseCatalog } from '../../packages/backends/src/catalog/catalog.ts';
import { merge } from './merge.ts';
import { type PriceRow, readRows, writeRows } from './price-row.ts';
import type { Ask, PriceReader } from './reader.ts';

export interface BuildOptions {
  /** The last catalogue. */
  readonly last: string;
  readonly readers: readonly PriceReader[];
  readonly ask: Ask;
  /** `2026-12-01` */
  readonly today: string;
  /** Providers whose changes are taken, however large. */
  readonly accepted: readonly string[];
  /** All locations of the providers, not only those of the last catalogue. */
  readonly isEverywhere: boolean;
}

export interface ListReport {
  readonly seller: string;
  readonly rows: number;
  /** Why the rows of the last catalogue are kept; null: they were read. */
  readonly kept: string | null;
  readonly notes: readonly string[];
}

export interface Built {
  readonly text: string;
  readonly reports: readonly ListReport[];
}

export async function buildCatalogue(options: BuildOptions): Promise<Built> {
  const last = Map.groupBy(readRows(options.last), ({ seller }) => seller);
  const read = await Promise.all(
    options.readers.map((reader) => readList(options, reader, last.get(reader.seller) ?? [])),
  );
  const names = new Set(options.readers.map(({ seller }) => seller));
  const others = [...last].filter(([seller]) => !names.has(seller));
  const unread = others.map(([seller, rows]) => ({ rows, report: unreadReport(seller, rows) }));
  const all = [...read, ...unread];
  const text = writeRows(all.flatMap(({ rows }) => rows));
  // Servers would refuse the whole file.
  parseCatalog(text);
  const reports = all.map(({ report }) => report);
  return { text, reports: reports.sort((a, b) => (a.seller < b.seller ? -1 : 1)) };
}

const unreadReport = (seller: string, rows: readonly PriceRow[]): ListReport => ({
  ...{ seller, rows: rows.length, notes: [] },
  kept: null,
});

async function readList(
  { ask, today, accepted, isEverywhere }: BuildOptions,
  reader: PriceReader,
  known: readonly PriceRow[],
): Promise<{ readonly rows: readonly PriceRow[]; readonly report: ListReport }> {
  const { seller } = reader;
  try {
    const reading = await reader.read({ ask, known, isEverywhere });
    const isAccepted = accepted.includes(seller);
    const { rows, kept, notes } = merge(known, reading, { today, isAccepted });
    return { rows, report: { seller, rows: rows.length, kept, notes } };
  } catch (error) {
    const kept = errorMessage(error);
    return { rows: known, report: { seller, rows: known.length, kept, notes: [] } };
  }
}
