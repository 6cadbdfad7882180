/** Reads fields of request bodies; a wrong one is refused as the provider would refuse it. */
import { Refusal } from './refusal.ts';

export type Fields = Readonly<Record<string, unknown>>;

export function fieldsOf(body: unknown): Fields {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Fields;
  throw new Refusal('invalid', 'the body must be a JSON object', { what: 'body' });
}

export function textField(fields: Fields, name: string, limits: { readonly max?: number } = {}) {
  const value = fields[name];
  const { max = Number.POSITIVE_INFINITY } = limits;
  if (typeof value === 'string' && value.length > 0 && value.length <= max) return value;
  throw wrong(
    name,
    value === undefined ? 'is required' : `must be a text of 1 to ${max} characters`,
  );
}

export function optionalText(
  fields: Fields,
  name: string,
  limits: { readonly max?: number } = {},
): string | null {
  const value = fields[name];
  if (value === undefined || value === null || value === '') return null;
  return textField(fields, name, limits);
}

/** Absent = empty. */
export function textList(fields: Fields, name: string): readonly string[] {
  const value = fields[name] ?? [];
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  throw wrong(name, 'must be a list of texts');
}

export function wholeField(fields: Fields, name: string, least: number, most: number): number {
  const value = fields[name];
  if (typeof value === 'number' && Number.isInteger(value) && least <= value && value <= most) {
    return value;
  }
  throw wrong(name, `must be a whole number from ${least} to ${most}`);
}

export function wrong(name: string, problem: string): Refusal {
  return new Refusal('invalid', `${name} ${problem}`, { what: name });
}
