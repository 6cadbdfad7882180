/** Methods of strings, dictionaries and lists that templates use; there are no others. */
import { type Callable, type Dict, isDict, isList, textOf, type Value } from './values.ts';

type Method<T> = (self: T, args: readonly Value[]) => Value;

const stripper =
  (from: boolean, to: boolean): Method<string> =>
  (self, [chars]) => {
    const isStripped = (c: string) =>
      typeof chars === 'string' ? chars.includes(c) : c.trim() === '';
    let [start, end] = [0, self.length];
    while (from && start < end && isStripped(self[start] as string)) start += 1;
    while (to && end > start && isStripped(self[end - 1] as string)) end -= 1;
    return self.slice(start, end);
  };

const oneOf = (value: Value, is: (text: string) => boolean): boolean =>
  (isList(value) ? value : [value]).some((item) => is(textOf(item)));

export const capitalized = (text: string): string =>
  text.slice(0, 1).toUpperCase() + text.slice(1).toLowerCase();

export const titled = (text: string): string =>
  text.replaceAll(/[\p{L}\p{N}']+/gu, (word) => capitalized(word));

const STRINGS: Readonly<Record<string, Method<string>>> = {
  strip: stripper(true, true),
  lstrip: stripper(true, false),
  rstrip: stripper(false, true),
  upper: (self) => self.toUpperCase(),
  lower: (self) => self.toLowerCase(),
  capitalize: (self) => capitalized(self),
  title: (self) => titled(self),
  startswith: (self, [start]) => oneOf(start, (text) => self.startsWith(text)),
  endswith: (self, [end]) => oneOf(end, (text) => self.endsWith(text)),
  find: (self, [part]) => self.indexOf(textOf(part)),
  count: (self, [part]) => self.split(textOf(part)).length - 1,
  replace: (self, [from, to, limit]) => replaced(self, textOf(from), textOf(to), limit),
  split: (self, [separator, limit]) => split(self, separator, limit),
  splitlines: (self) => self.replace(/\r?\n$/, '').split(/\r?\n/),
  join: (self, [items]) => (isList(items) ? items.map(textOf).join(self) : ''),
  isdigit: (self) => /^\d+$/.test(self),
  removeprefix: (self, [start]) =>
    self.startsWith(textOf(start)) ? self.slice(textOf(start).length) : self,
  removesuffix: (self, [end]) =>
    self.endsWith(textOf(end)) ? self.slice(0, self.length - textOf(end).length) : self,
};

const DICTS: Readonly<Record<string, Method<Dict>>> = {
  get: (self, [name, preset = null]) =>
    typeof name === 'string' && Object.hasOwn(self, name) ? self[name] : preset,
  keys: (self) => Object.keys(self),
  values: (self) => Object.values(self),
  items: (self) => Object.entries(self),
};

const LISTS: Readonly<Record<string, Method<readonly Value[]>>> = {
  index: (self, [item]) => self.indexOf(item),
  count: (self, [item]) => self.filter((one) => one === item).length,
};

/** Undefined: there is no such method. */
export function methodOf(self: Value, name: string): Callable | undefined {
  if (typeof self === 'string') return bound(STRINGS, name, self);
  if (isList(self)) return bound(LISTS, name, self);
  return isDict(self) ? bound(DICTS, name, self) : undefined;
}

function bound<T>(
  methods: Readonly<Record<string, Method<T>>>,
  name: string,
  self: T,
): Callable | undefined {
  const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
  return method && ((args) => method(self, args));
}

export function replaced(text: string, from: string, to: string, limit: Value): string {
  if (typeof limit !== 'number' || limit < 0) return text.replaceAll(from, () => to);
  const parts = text.split(from);
  const head = parts.slice(0, limit + 1).join(to);
  return [head, ...parts.slice(limit + 1)].join(from);
}

function split(text: string, separator: Value, limit: Value): Value {
  const isPlain = typeof separator !== 'string';
  const parts = isPlain ? text.trim().split(/\s+/) : text.split(separator);
  if (isPlain && text.trim() === '') return [];
  if (typeof limit !== 'number' || limit < 0 || parts.length <= limit + 1) return parts;
  return [...parts.slice(0, limit), parts.slice(limit).join(isPlain ? ' ' : separator)];
}
