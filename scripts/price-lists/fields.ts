/** Reads fields of foreign JSON: what is not of the expected type, or out of bounds, is no value. */

export type Fields = Readonly<Record<string, unknown>>;

/** Characters of a name or a word in a price list. */
const MOST_TEXT = 200;

export function fieldsOf(value: unknown): Fields | null {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Fields) : null;
}

export function listOf(fields: Fields | null, name: string, most: number): readonly unknown[] {
  const value = fields?.[name];
  if (!Array.isArray(value)) throw new Error(`the answer has no list ${name}`);
  if (value.length > most) throw new Error(`its list ${name} has more than ${most} entries`);
  return value;
}

export function textOf(fields: Fields | null, name: string): string | null {
  const value = fields?.[name];
  return typeof value === 'string' && isWord(value) ? value : null;
}

export function numberOf(fields: Fields | null, name: string): number | null {
  const value = fields?.[name];
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
}

/** Such a cell is one location at most, and shows nothing else in a terminal than it is. */
export const isWord = (text: string): boolean =>
  text.length <= MOST_TEXT && [...text].every((char) => char >= ' ' && char <= '~' && char !== ';');
