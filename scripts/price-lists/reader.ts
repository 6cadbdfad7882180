/** Readers of the price lists of providers, and the form of their results. */
import type { PriceRow } from './price-row.ts';

export interface PriceReader {
  readonly seller: string;
  /** Where the prices are from, as rows name it. */
  readonly url: string;
  /** Rejects if the list cannot be had, or has another form than this reader knows. */
  read(input: ReaderInput): Promise<Reading>;
}

export interface ReaderInput {
  readonly ask: Ask;
  /** The provider's rows of the last catalogue, for what its price list does not have. */
  readonly known: readonly PriceRow[];
  /** All locations of the provider, not only those of the last catalogue. */
  readonly isEverywhere: boolean;
}

export interface Reading {
  readonly rows: readonly PriceRow[];
  /** Notes for people about what was left out. */
  readonly notes: readonly string[];
}

/** Answers of public addresses, each of them bounded. */
export interface Ask {
  json(url: string): Promise<unknown>;
  /** Pieces of a text that may be larger than the memory. */
  text(url: string): AsyncIterable<string>;
}

/** Whether a reader reads the list of this location. */
export function wantsLocation({ known, isEverywhere }: ReaderInput): (location: string) => boolean {
  const locations = new Set(known.map(({ location }) => location));
  return (location) => isEverywhere || locations.has(location);
}

/** A list of which a larger part than this cannot be read has another form than its reader knows. */
const ODD_SHARE = 0.1;

/** Entries in the form that `read` gives them; it returns null for those of another form. */
export function entriesOf<T>(
  entries: readonly unknown[],
  what: string,
  read: (entry: unknown) => T | null,
): { readonly found: readonly T[]; readonly notes: readonly string[] } {
  const found = entries.map(read).filter((entry) => entry !== null);
  const odd = entries.length - found.length;
  if (odd > entries.length * ODD_SHARE) {
    throw new Error(`${odd} of ${entries.length} ${what} have another form than expected`);
  }
  return { found, notes: odd === 0 ? [] : [`${odd} ${what} of another form are left out`] };
}
