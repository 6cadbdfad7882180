/**
 * The JSON of answers: compact, every field present, and floats with a fraction (`8.0`), as dstack
 * 0.22.5 writes them. JavaScript has one kind of number, so float fields are listed by name.
 */
import { mapInTurns } from './in-turns.ts';
import { keepText, keptText } from './kept-parts.ts';

/** Fields with a float. */
const FLOATS = new Set([
  'price',
  'max_price',
  'max_offer_price',
  'cost',
  'rps',
  'shm_size',
  'min_reliability',
  'size',
  'memory',
  'cpu',
]);

/** Fields with a range of floats. */
const FLOAT_RANGES = new Set(['memory', 'total_memory', 'size', 'price', 'offer_price']);

/** The body of an answer. `undefined` fields do not exist; write null. */
export function wireJson(value: unknown): string {
  return text(value, '', '') ?? 'null';
}

/**
 * The same in pieces: a list is written one element after another, so that other requests run in
 * between.
 */
export async function wireJsonPieces(value: unknown): Promise<Buffer[]> {
  if (!Array.isArray(value) || value.length < 2) return [Buffer.from(wireJson(value))];
  const pieces = await mapInTurns(value, (item) => Buffer.from(`,${wireJson(item)}`));
  // A bracket precedes the first element instead of a comma.
  pieces[0]?.write('[');
  return [...pieces, Buffer.from(']')];
}

/** `key` is the field of the value, `parent` the field around it. */
function text(value: unknown, key: string, parent: string): string | undefined {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'number':
      return numberText(value, isFloat(key, parent));
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      return value === null ? 'null' : (keptText(value) ?? keepText(value, structure(value, key)));
    default:
      return undefined;
  }
}

function structure(value: object, key: string): string {
  return Array.isArray(value) ? listText(value, key) : mapText(value as JsonMap, key);
}

type JsonMap = Readonly<Record<string, unknown>>;

function listText(list: readonly unknown[], key: string): string {
  let items = '';
  for (let i = 0; i < list.length; i++) {
    items += (i === 0 ? '' : ',') + (text(list[i], key, '') ?? 'null');
  }
  return `[${items}]`;
}

function mapText(map: JsonMap, key: string): string {
  let fields = '';
  for (const name in map) {
    const field = text(map[name], name, key);
    if (field === undefined) continue;
    fields += `${(fields === '' ? '' : ',') + JSON.stringify(name)}:${field}`;
  }
  return `{${fields}}`;
}

function isFloat(key: string, parent: string): boolean {
  if (key === 'min' || key === 'max') return FLOAT_RANGES.has(parent);
  // The target of a fleet's `nodes` is an integer, that of a service's `scaling` a float.
  if (key === 'target') return parent === 'scaling';
  return FLOATS.has(key);
}

function numberText(value: number, float: boolean): string {
  if (!Number.isFinite(value)) return 'null';
  const digits = String(value);
  return float && Number.isInteger(value) && !digits.includes('e') ? `${digits}.0` : digits;
}
