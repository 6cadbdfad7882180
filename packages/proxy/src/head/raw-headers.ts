/** Bytes of all headers of a message: one of 64 KiB, and room for the others. */
export const MAX_HEADERS = 80 * 1024;

/** Names and values in turn, like Node's `rawHeaders`: order, case and repetitions are kept. */
export type RawHeaders = readonly string[];

/** Headers of one connection only (RFC 9110 §7.6.1), and `expect`, which this server answers itself. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** All values of that name (lower case), in their order. */
export function valuesOf(raw: RawHeaders, wanted: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (raw[i]?.toLowerCase() === wanted) values.push(raw[i + 1] ?? '');
  }
  return values;
}

/**
 * Drops hop-by-hop headers, and those that `Connection` lists. `pass` returns the value to pass on for
 * each other header; null drops it.
 */
export function passedOn(
  raw: RawHeaders,
  pass: (name: string, value: string) => string | null,
): string[] {
  const named = namedByConnection(raw);
  const headers: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const key = raw[i] ?? '';
    const name = key.toLowerCase();
    if (HOP_BY_HOP.has(name) || named.has(name)) continue;
    const value = pass(name, raw[i + 1] ?? '');
    if (value !== null) headers.push(key, value);
  }
  return headers;
}

const NONE: ReadonlySet<string> = new Set();

/** The `Connection` of nearly every message, which lists no header that would not be dropped anyway. */
const NAMES_NONE: ReadonlySet<string> = new Set(['keep-alive', 'close']);

/** `Host` is never hop-by-hop, whatever `Connection` lists. */
function namedByConnection(raw: RawHeaders): ReadonlySet<string> {
  const values = valuesOf(raw, 'connection');
  if (values.every((value) => NAMES_NONE.has(value))) return NONE;
  const names = values.flatMap((value) => value.toLowerCase().split(','));
  const named = new Set(names.map((name) => name.trim()));
  named.delete('host');
  return named;
}
