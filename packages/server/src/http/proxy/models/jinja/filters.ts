/** Filters and tests of Jinja that chat templates use; unknown ones are errors. */
import { TemplateError } from './lexer.ts';
import { capitalized, replaced, titled } from './methods.ts';
import {
  areEqual,
  contains,
  type Dict,
  isDict,
  isList,
  isTrue,
  itemsOf,
  jsonOf,
  lengthOf,
  numberOf,
  textOf,
  type Value,
} from './values.ts';

type Named = Readonly<Record<string, Value>>;
type Filter = (value: Value, args: readonly Value[], named: Named) => Value;

const field = (value: Value, path: Value): Value => {
  let found: Value = value;
  for (const name of textOf(path).split('.')) {
    if (isList(found)) found = found[Number(name)];
    else if (isDict(found) && Object.hasOwn(found, name)) found = found[name];
    else return undefined;
  }
  return found;
};

const selection =
  (wanted: boolean, byField: boolean): Filter =>
  (value, args) => {
    const [name, test, ...rest] = byField ? args : [undefined, ...args];
    return itemsOf(value).filter((item) => {
      const looked = byField ? field(item, name) : item;
      const passes = test === undefined ? isTrue(looked) : runTest(textOf(test), looked, rest);
      return passes === wanted;
    });
  };

const FILTERS: Readonly<Record<string, Filter>> = {
  trim: (value) => textOf(value).trim(),
  tojson: (value, [indent], named) => {
    const spaces = named.indent ?? indent;
    return jsonOf(value, typeof spaces === 'number' ? spaces : null);
  },
  upper: (value) => textOf(value).toUpperCase(),
  lower: (value) => textOf(value).toLowerCase(),
  capitalize: (value) => capitalized(textOf(value)),
  title: (value) => titled(textOf(value)),
  string: (value) => textOf(value),
  safe: (value) => value,
  int: (value, [preset = 0]) => {
    const number = Math.trunc(Number(value));
    return Number.isNaN(number) ? preset : number;
  },
  float: (value, [preset = 0]) => (Number.isNaN(Number(value)) ? preset : Number(value)),
  abs: (value) => Math.abs(numberOf(value)),
  round: (value, [digits = 0]) => Number(numberOf(value).toFixed(numberOf(digits))),
  length: (value) => lengthOf(value),
  count: (value) => lengthOf(value),
  list: (value) => [...itemsOf(value)],
  first: (value) => itemsOf(value)[0],
  last: (value) => itemsOf(value).at(-1),
  reverse: (value) =>
    typeof value === 'string' ? [...value].reverse().join('') : [...itemsOf(value)].reverse(),
  sum: (value) => itemsOf(value).reduce<number>((sum, item) => sum + numberOf(item), 0),
  unique: (value) =>
    itemsOf(value).filter((item, i, all) => all.findIndex((one) => areEqual(one, item)) === i),
  sort: (value) => [...itemsOf(value)].sort((a, b) => (textOf(a) < textOf(b) ? -1 : 1)),
  items: (value) => (isDict(value) ? Object.entries(value) : []),
  dictsort: (value) => (isDict(value) ? Object.entries(value).sort() : []),
  join: (value, [separator = '']) => itemsOf(value).map(textOf).join(textOf(separator)),
  replace: (value, [from, to, limit]) => replaced(textOf(value), textOf(from), textOf(to), limit),
  default: (value, [preset = '', alsoFalse], named) =>
    value === undefined || (isTrue(alsoFalse ?? named.boolean) && !isTrue(value)) ? preset : value,
  indent: (value, [width = 4], named) => {
    const pad = ' '.repeat(numberOf(named.width ?? width));
    const [first = '', ...rest] = textOf(value).split('\n');
    const start = isTrue(named.first) ? pad : '';
    return [start + first, ...rest.map((line) => (line === '' ? line : pad + line))].join('\n');
  },
  map: (value, args, named) => {
    const [name, ...rest] = args;
    return itemsOf(value).map((item) =>
      named.attribute === undefined
        ? runFilter(textOf(name), item, rest, {})
        : (field(item, named.attribute) ?? named.default),
    );
  },
  select: selection(true, false),
  reject: selection(false, false),
  selectattr: selection(true, true),
  rejectattr: selection(false, true),
};

const ALIASES: Readonly<Record<string, string>> = { d: 'default' };

export function runFilter(name: string, value: Value, args: readonly Value[], named: Named): Value {
  const known = ALIASES[name] ?? name;
  const filter = Object.hasOwn(FILTERS, known) ? FILTERS[known] : undefined;
  if (!filter) throw new TemplateError(`the filter ${name} is not known`);
  return filter(value, args, named);
}

type Test = (value: Value, args: readonly Value[]) => boolean;

const equal: Test = (value, [other]) => areEqual(value, other);
const mapping = (value: Value): value is Dict => isDict(value);

const TESTS: Readonly<Record<string, Test>> = {
  defined: (value) => value !== undefined,
  undefined: (value) => value === undefined,
  none: (value) => value === null,
  true: (value) => value === true,
  false: (value) => value === false,
  boolean: (value) => typeof value === 'boolean',
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  integer: (value) => Number.isInteger(value),
  float: (value) => typeof value === 'number' && !Number.isInteger(value),
  mapping,
  iterable: (value) => typeof value === 'string' || isList(value) || isDict(value),
  sequence: (value) => typeof value === 'string' || isList(value) || isDict(value),
  callable: (value) => typeof value === 'function',
  even: (value) => numberOf(value) % 2 === 0,
  odd: (value) => Math.abs(numberOf(value) % 2) === 1,
  divisibleby: (value, [by]) => numberOf(value) % numberOf(by) === 0,
  in: (value, [whole]) => contains(whole, value),
  eq: equal,
  equalto: equal,
  sameas: equal,
  ne: (value, args) => !equal(value, args),
};

const TEST_ALIASES: Readonly<Record<string, string>> = { '==': 'eq', '!=': 'ne', None: 'none' };

export function runTest(name: string, value: Value, args: readonly Value[]): boolean {
  const known = TEST_ALIASES[name] ?? name;
  const test = Object.hasOwn(TESTS, known) ? TESTS[known] : undefined;
  if (!test) throw new TemplateError(`the test ${name} is not known`);
  return test(value, args);
}
