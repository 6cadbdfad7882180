/**
 * Instants. In our code they are integer microseconds since the epoch; in the API they are ISO 8601
 * in UTC with `Z`, with microseconds only if these are not zero (dstack 0.22.5).
 *
 * Floats: the API always writes them with a fraction (`8.0`), integers never. The server's JSON
 * writer has the list of float fields; every reader accepts an integer for a float.
 */

const ISO =
  /^(\d{4}-\d{2}-\d{2})(?:[Tt _](\d{2}:\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*([Zz]|[+-]\d{2}:?\d{2})?)?$/;

/** Above this, a number in a request counts as milliseconds, as in dstack 0.22.5. */
const MAX_SECONDS = 2e10;

/** End of the year 9999, in microseconds. */
const MAX_MICROS = 253_402_300_800_000_000;

/** Microseconds -> `2026-01-01T00:00:00Z` or `2026-01-01T00:00:00.000005Z`. */
export function formatTimestamp(micros: number): string {
  const fraction = ((micros % 1_000_000) + 1_000_000) % 1_000_000;
  const seconds = new Date((micros - fraction) / 1000).toISOString().slice(0, 19);
  return fraction === 0 ? `${seconds}Z` : `${seconds}.${String(fraction).padStart(6, '0')}Z`;
}

/** Formats like `formatTimestamp`; null stays null. */
export function formatOptionalTimestamp(micros: number | null): string | null {
  return micros === null ? null : formatTimestamp(micros);
}

/**
 * ISO 8601 text or Unix seconds -> microseconds, null if it is neither. A text without an offset
 * is UTC; an offset is honoured (dstack 0.22.5 compared wall clocks in page filters, wrongly).
 */
export function parseTimestamp(value: string | number): number | null {
  if (typeof value === 'number') return fromUnix(value);
  const trimmed = value.trim();
  if (/^[+-]?\d+(\.\d+)?$/.test(trimmed)) return fromUnix(Number(trimmed));
  const match = ISO.exec(trimmed);
  if (match === null) return null;
  const [, date, clock = '00:00', second = '00', fraction = '', zone] = match;
  const wall = `${date}T${clock}:${second}`;
  const millis = Date.parse(`${wall}Z`);
  // Date.parse reads the 31st of April as the 1st of May.
  if (Number.isNaN(millis) || new Date(millis).toISOString().slice(0, 19) !== wall) return null;
  const micros = Number(fraction.padEnd(6, '0').slice(0, 6));
  return (millis - offsetMinutes(zone) * 60_000) * 1000 + micros;
}

function fromUnix(value: number): number | null {
  if (!Number.isFinite(value)) return null;
  const seconds = Math.abs(value) > MAX_SECONDS ? value / 1000 : value;
  const micros = Math.round(seconds * 1_000_000);
  return Math.abs(micros) > MAX_MICROS ? null : micros;
}

function offsetMinutes(zone: string | undefined): number {
  if (zone === undefined || zone.toUpperCase() === 'Z') return 0;
  const sign = zone.startsWith('-') ? -1 : 1;
  return sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2)));
}
