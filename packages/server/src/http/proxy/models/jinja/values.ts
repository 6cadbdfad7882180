/** Values of a template, and how Python sees them. */
import { TemplateError } from './lexer.ts';

export type Callable = (args: readonly Value[], named: Readonly<Record<string, Value>>) => Value;

export type Value =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly Value[]
  | { readonly [name: string]: Value }
  | Callable;

export type Dict = { readonly [name: string]: Value };

export const isDict = (value: Value): value is Dict =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const isList = (value: Value): value is readonly Value[] => Array.isArray(value);

export function isTrue(value: Value): boolean {
  if (isList(value)) return value.length > 0;
  if (isDict(value)) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** As Python prints it. */
export function textOf(value: Value): string {
  if (typeof value === 'string') return value;
  if (value === undefined) return '';
  return representation(value);
}

function representation(value: Value): string {
  if (value === null) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (typeof value === 'string') {
    const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
    const escaped = value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
    return quote + (quote === "'" ? escaped.replaceAll("'", "\\'") : escaped) + quote;
  }
  if (isList(value)) return `[${value.map(representation).join(', ')}]`;
  if (isDict(value)) {
    const fields = Object.entries(value).map(
      ([name, item]) => `${representation(name)}: ${representation(item)}`,
    );
    return `{${fields.join(', ')}}`;
  }
  return String(value);
}

/** JSON as Python writes it, with blanks after commas and colons. */
export function jsonOf(value: Value, indent: number | null = null, depth = 0): string {
  const inner = indent === null ? '' : `\n${' '.repeat(indent * (depth + 1))}`;
  const outer = indent === null ? '' : `\n${' '.repeat(indent * depth)}`;
  const comma = indent === null ? ', ' : `,${inner}`;
  const enclosed = (parts: readonly string[], [open, close]: readonly [string, string]) =>
    parts.length === 0 ? open + close : open + inner + parts.join(comma) + outer + close;
  if (isList(value)) {
    return enclosed(
      value.map((item) => jsonOf(item, indent, depth + 1)),
      ['[', ']'],
    );
  }
  if (isDict(value)) {
    const fields = Object.entries(value).map(
      ([name, item]) => `${JSON.stringify(name)}: ${jsonOf(item, indent, depth + 1)}`,
    );
    return enclosed(fields, ['{', '}']);
  }
  if (value === undefined || typeof value === 'function') {
    throw new TemplateError('what is not defined cannot be written as JSON');
  }
  return JSON.stringify(value);
}

export function areEqual(a: Value, b: Value): boolean {
  if (isList(a) && isList(b)) {
    return a.length === b.length && a.every((item, i) => areEqual(item, b[i]));
  }
  if (isDict(a) && isDict(b)) {
    const names = Object.keys(a);
    return (
      names.length === Object.keys(b).length &&
      names.every((name) => Object.hasOwn(b, name) && areEqual(a[name], b[name]))
    );
  }
  return a === b;
}

export function contains(whole: Value, part: Value): boolean {
  if (typeof whole === 'string') return typeof part === 'string' && whole.includes(part);
  if (isList(whole)) return whole.some((item) => areEqual(item, part));
  if (isDict(whole)) return typeof part === 'string' && Object.hasOwn(whole, part);
  return false;
}

/** What a loop goes over. */
export function itemsOf(value: Value): readonly Value[] {
  if (isList(value)) return value;
  if (typeof value === 'string') return [...value];
  if (isDict(value)) return Object.keys(value);
  if (value === undefined) return [];
  throw new TemplateError(`${textOf(value)} cannot be gone over`);
}

export function lengthOf(value: Value): number {
  return typeof value === 'number' ? 0 : itemsOf(value).length;
}

export function numberOf(value: Value): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  throw new TemplateError(`${textOf(value)} is not a number`);
}
