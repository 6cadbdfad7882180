/**
 * The JSON of answers: compact, every field present, and floats with a fraction (`8.0`), as
 * dstack 0.22.5 writes them. JavaScript has one kind of number, so fields that are floats on the
 * wire are known by name.
 */

/** `JSON.rawJSON` of ECMAScript, which puts a text into the output as it is. */
const rawJson = (JSON as unknown as { rawJSON: (text: string) => unknown }).rawJSON;

/** Fields that hold a float. */
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

/** Fields that hold a range of floats. */
const FLOAT_RANGES = new Set(['memory', 'total_memory', 'size', 'price', 'offer_price']);

/** The body of an answer. `undefined` fields do not exist; write null. */
export function wireJson(value: unknown): string {
  return JSON.stringify(marked(value, '', ''));
}

/** The value with floats that look like integers replaced; unchanged parts are not copied. */
function marked(value: unknown, key: string, parent: string): unknown {
  if (typeof value === 'number') return isFloat(key, parent) ? floatText(value) : value;
  if (typeof value !== 'object' || value === null) return value;
  return Array.isArray(value) ? markedList(value, key) : markedMap(value as JsonMap, key);
}

type JsonMap = Record<string, unknown>;

function markedList(list: readonly unknown[], key: string): readonly unknown[] {
  let copy: unknown[] | null = null;
  for (let i = 0; i < list.length; i++) {
    const item = marked(list[i], key, '');
    if (item === list[i]) continue;
    copy ??= [...list];
    copy[i] = item;
  }
  return copy ?? list;
}

function markedMap(map: JsonMap, key: string): JsonMap {
  let copy: JsonMap | null = null;
  for (const name in map) {
    const item = marked(map[name], name, key);
    if (item === map[name]) continue;
    copy ??= { ...map };
    copy[name] = item;
  }
  return copy ?? map;
}

function isFloat(key: string, parent: string): boolean {
  if (key === 'min' || key === 'max') return FLOAT_RANGES.has(parent);
  // The target of a fleet's `nodes` is an integer, that of a service's `scaling` a float.
  if (key === 'target') return parent === 'scaling';
  return FLOATS.has(key);
}

function floatText(value: number): unknown {
  if (!Number.isInteger(value)) return value;
  const text = String(value);
  return rawJson(text.includes('e') ? text : `${text}.0`);
}
