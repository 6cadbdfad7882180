/** Rows. Enough for the first page, which most readers do not leave. */
const LEAST = 30;
const MOST = 300;

/**
 * How many rows are loaded beyond the last one that is drawn. The further readers go, the more, so that those who
 * scroll far do not wait for one page after another.
 */
export function rowsAhead(last: number): number {
  return Math.min(MOST, Math.max(LEAST, Math.floor(last / 4)));
}
