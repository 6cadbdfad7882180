/** Expressions of a template, worked out. */
import { runFilter, runTest } from './filters.ts';
import { TemplateError } from './lexer.ts';
import { methodOf } from './methods.ts';
import type { Arguments, Expression } from './nodes.ts';
import {
  areEqual,
  contains,
  isDict,
  isList,
  isTrue,
  numberOf,
  textOf,
  type Value,
} from './values.ts';

/** Undefined: there is nothing of that name. */
export type Lookup = (name: string) => Value;

type Of<T extends Expression['type']> = Extract<Expression, { readonly type: T }>;

export function evaluate(expression: Expression, lookup: Lookup): Value {
  const value = (of: Expression) => evaluate(of, lookup);
  switch (expression.type) {
    case 'literal':
      return expression.value;
    case 'name':
      return lookup(expression.name);
    case 'list':
      return expression.items.map(value);
    case 'dict':
      return Object.fromEntries(
        expression.entries.map(([key, item]) => [textOf(value(key)), value(item)]),
      );
    case 'attribute':
      return attribute(value(expression.of), expression.name);
    case 'item':
      return item(value(expression.of), value(expression.key));
    case 'slice':
      return slice(expression, value);
    case 'call':
      return call(expression, value);
    case 'filter': {
      const { positional, named } = given(expression.args, value);
      return runFilter(expression.name, value(expression.of), positional, named);
    }
    case 'test':
      return runTest(
        expression.name,
        value(expression.of),
        given(expression.args, value).positional,
      );
    case 'not':
      return !isTrue(value(expression.of));
    case 'minus':
      return -numberOf(value(expression.of));
    case 'plus':
      return numberOf(value(expression.of));
    case 'binary':
      return binary(expression, value);
    case 'choice':
      if (isTrue(value(expression.when))) return value(expression.then);
      return expression.otherwise === null ? undefined : value(expression.otherwise);
    default:
      return expression satisfies never;
  }
}

type Work = (expression: Expression) => Value;

export function given(args: Arguments, value: Work) {
  const named = Object.entries(args.named).map(([name, one]) => [name, value(one)] as const);
  return { positional: args.positional.map(value), named: Object.fromEntries(named) };
}

function attribute(of: Value, name: string): Value {
  if (of === undefined) throw new TemplateError(`what is asked for ${name} is not defined`);
  if (isDict(of) && Object.hasOwn(of, name)) return of[name];
  return methodOf(of, name);
}

function item(of: Value, key: Value): Value {
  if (of === undefined) throw new TemplateError(`what is asked for ${textOf(key)} is not defined`);
  if (typeof key === 'number' && (isList(of) || typeof of === 'string')) return of.at(key);
  return typeof key === 'string' ? attribute(of, key) : undefined;
}

function slice({ of, from, to, step }: Of<'slice'>, value: Work): Value {
  const whole = value(of);
  if (!isList(whole) && typeof whole !== 'string') {
    throw new TemplateError(`${textOf(whole)} has no parts`);
  }
  const bound = (one: Expression | null): number | null => {
    const given = one && value(one);
    return given === null || given === undefined ? null : numberOf(given);
  };
  const by = bound(step) ?? 1;
  const items: Value[] = [...whole];
  const picked = by < 0 ? backwards(items, bound(from), bound(to)) : sliced(items, from, to, bound);
  const stepped = picked.filter((_, i) => i % Math.abs(by) === 0);
  return typeof whole === 'string' ? stepped.join('') : stepped;
}

function sliced(
  items: Value[],
  from: Expression | null,
  to: Expression | null,
  bound: (one: Expression | null) => number | null,
): Value[] {
  return items.slice(bound(from) ?? 0, bound(to) ?? items.length);
}

function backwards(items: Value[], from: number | null, to: number | null): Value[] {
  const at = (index: number) => (index < 0 ? index + items.length : index);
  const start = Math.min(from === null ? items.length - 1 : at(from), items.length - 1);
  const end = to === null ? -1 : at(to);
  return items.slice(end + 1, start + 1).reverse();
}

function call({ of, args }: Of<'call'>, value: Work): Value {
  const callable = value(of);
  if (typeof callable !== 'function') {
    const name = of.type === 'name' || of.type === 'attribute' ? of.name : 'this';
    throw new TemplateError(`${name} cannot be called`);
  }
  const { positional, named } = given(args, value);
  return callable(positional, named);
}

function binary({ operator, left, right }: Of<'binary'>, value: Work): Value {
  const a = value(left);
  if (operator === 'and') return isTrue(a) ? value(right) : a;
  if (operator === 'or') return isTrue(a) ? a : value(right);
  const b = value(right);
  switch (operator) {
    case '==':
      return areEqual(a, b);
    case '!=':
      return !areEqual(a, b);
    case 'in':
      return contains(b, a);
    case '~':
      return textOf(a) + textOf(b);
    case '+':
      if (typeof a === 'string' && typeof b === 'string') return a + b;
      if (isList(a) && isList(b)) return [...a, ...b];
      return numberOf(a) + numberOf(b);
    case '*':
      if (typeof a === 'string') return repeated(a, numberOf(b));
      return numberOf(a) * numberOf(b);
    case '<':
    case '>':
    case '<=':
    case '>=':
      return ordered(operator, a, b);
    default:
      return arithmetic(operator, numberOf(a), numberOf(b));
  }
}

/** No template needs more than this. */
const MAX_TEXT = 10_000_000;

function repeated(text: string, times: number): string {
  if (text.length * times > MAX_TEXT) throw new TemplateError('the text becomes too long');
  return text.repeat(Math.max(0, times));
}

function ordered(operator: string, a: Value, b: Value): boolean {
  const areTexts = typeof a === 'string' && typeof b === 'string';
  const [x, y] = areTexts ? [a, b] : [numberOf(a), numberOf(b)];
  if (operator === '<') return x < y;
  if (operator === '>') return x > y;
  return operator === '<=' ? x <= y : x >= y;
}

function arithmetic(operator: string, a: number, b: number): number {
  switch (operator) {
    case '-':
      return a - b;
    case '/':
      return a / b;
    case '//':
      return Math.floor(a / b);
    case '%':
      return a - b * Math.floor(a / b);
    default:
      return a ** b;
  }
}
