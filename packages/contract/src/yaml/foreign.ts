/** Reads YAML from untrusted sources. */
import { WholeFloat } from '../grammar/number-text.ts';
import { loadYaml } from './load.ts';

/** More than a thousand lines of configuration; at worst a few hundredths of a second of CPU time. */
const MOST_TOKENS = 8000;
const MOST_CHARACTERS = 256 * 1024;

export type ForeignYaml =
  | { readonly ok: true; readonly value: unknown }
  /** `error` names the place. */
  | { readonly ok: false; readonly error: string };

/** One document as plain JSON values; bounded in size, depth and repetition. */
export function readForeignYaml(text: string): ForeignYaml {
  if (text.length > MOST_CHARACTERS) {
    return { ok: false, error: `is longer than ${MOST_CHARACTERS} characters` };
  }
  const loaded = loadYaml(text, { maxTokens: MOST_TOKENS });
  if ('value' in loaded) return { ok: true, value: plain(loaded.value) };
  const { line, column, message, path } = loaded;
  const where = path.length > 0 ? `${path.join('.')} ` : '';
  return { ok: false, error: `line ${line}, column ${column}: ${where}${message}` };
}

/** The loader bounds how many values aliases repeat, so this stays small. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof WholeFloat) return value.value;
  if (value instanceof Date) return value.toISOString().replace(/T00:00:00\.000Z$/, '');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}
