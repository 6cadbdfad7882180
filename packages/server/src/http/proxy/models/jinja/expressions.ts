import { TemplateError } from './lexer.ts';
import type { Arguments, Expression } from './nodes.ts';
import type { Words } from './words.ts';

export interface ExpressionOptions {
  /** In `for x in xs if …` the `if` is the loop's. */
  readonly withoutChoice?: boolean;
  /** `a, b` without parentheses is a list. */
  readonly asTuple?: boolean;
}

export function parseExpression(words: Words, options: ExpressionOptions = {}): Expression {
  const first = choice(words, options);
  if (!options.asTuple || !words.is('operator', ',')) return first;
  const items = [first];
  while (words.take('operator', ',')) items.push(choice(words, options));
  return { type: 'list', items };
}

function choice(words: Words, { withoutChoice }: ExpressionOptions): Expression {
  const then = either(words);
  if (withoutChoice || !words.take('name', 'if')) return then;
  const when = either(words);
  const otherwise = words.take('name', 'else') ? choice(words, {}) : null;
  return { type: 'choice', when, then, otherwise };
}

function either(words: Words): Expression {
  let left = both(words);
  while (words.take('name', 'or')) {
    left = { type: 'binary', operator: 'or', left, right: both(words) };
  }
  return left;
}

function both(words: Words): Expression {
  let left = negation(words);
  while (words.take('name', 'and')) {
    left = { type: 'binary', operator: 'and', left, right: negation(words) };
  }
  return left;
}

function negation(words: Words): Expression {
  return words.take('name', 'not') ? { type: 'not', of: negation(words) } : comparison(words);
}

const COMPARISONS = new Set(['==', '!=', '<', '>', '<=', '>=']);

function comparison(words: Words): Expression {
  let left = sum(words);
  for (;;) {
    const operator = comparisonOperator(words);
    if (operator === null) return left;
    if (operator !== 'not in') left = { type: 'binary', operator, left, right: sum(words) };
    else {
      const of: Expression = { type: 'binary', operator: 'in', left, right: sum(words) };
      left = { type: 'not', of };
    }
  }
}

function comparisonOperator(words: Words): string | null {
  const token = words.peek();
  if (token?.kind === 'operator' && COMPARISONS.has(token.value)) {
    words.next();
    return token.value;
  }
  if (words.take('name', 'in')) return 'in';
  if (!words.take('name', 'not')) return null;
  words.expect('name', 'in');
  return 'not in';
}

const operators = (...values: string[]) => new Set(values);
const SUMS = operators('+', '-');
const JOINS = operators('~');
const PRODUCTS = operators('*', '/', '//', '%');

const sum = (words: Words): Expression => chain(words, SUMS, joined);
const joined = (words: Words): Expression => chain(words, JOINS, product);
const product = (words: Words): Expression => chain(words, PRODUCTS, signed);

function chain(
  words: Words,
  known: ReadonlySet<string>,
  part: (words: Words) => Expression,
): Expression {
  let left = part(words);
  for (;;) {
    const token = words.peek();
    if (token?.kind !== 'operator' || !known.has(token.value)) return left;
    words.next();
    left = { type: 'binary', operator: token.value, left, right: part(words) };
  }
}

function signed(words: Words): Expression {
  if (words.take('operator', '-')) return { type: 'minus', of: signed(words) };
  if (words.take('operator', '+')) return { type: 'plus', of: signed(words) };
  const base = filtered(words);
  if (!words.take('operator', '**')) return base;
  return { type: 'binary', operator: '**', left: base, right: signed(words) };
}

function filtered(words: Words): Expression {
  let of = postfix(words, primary(words));
  for (;;) {
    if (words.take('operator', '|')) {
      const name = words.name();
      of = { type: 'filter', of, name, args: optionalArguments(words) };
    } else if (words.take('name', 'is')) of = test(words, of);
    else return of;
  }
}

/** A test may have one argument without parentheses: `n is divisibleby 3`. */
function test(words: Words, of: Expression): Expression {
  const isNegated = words.take('name', 'not');
  const name = words.name();
  const follows = words.peek();
  const takesOne =
    follows?.kind === 'string' ||
    follows?.kind === 'number' ||
    words.is('operator', '[') ||
    (follows?.kind === 'name' && !/^(and|or|not|in|is|if|else)$/.test(follows.value));
  const args = takesOne
    ? { positional: [postfix(words, primary(words))], named: {} }
    : optionalArguments(words);
  const tested: Expression = { type: 'test', of, name, args };
  return isNegated ? { type: 'not', of: tested } : tested;
}

function optionalArguments(words: Words): Arguments {
  return words.take('operator', '(') ? parseArguments(words) : { positional: [], named: {} };
}

function parseArguments(words: Words): Arguments {
  const positional: Expression[] = [];
  const named: Record<string, Expression> = {};
  while (!words.take('operator', ')')) {
    if (positional.length + Object.keys(named).length > 0) words.expect('operator', ',');
    if (words.take('operator', ')')) break;
    const value = parseExpression(words);
    if (value.type === 'name' && words.take('operator', '=')) {
      named[value.name] = parseExpression(words);
    } else positional.push(value);
  }
  return { positional, named };
}

function postfix(words: Words, primaryExpression: Expression): Expression {
  let of = primaryExpression;
  for (;;) {
    if (words.take('operator', '.')) of = { type: 'attribute', of, name: words.name() };
    else if (words.take('operator', '(')) of = { type: 'call', of, args: parseArguments(words) };
    else if (words.take('operator', '[')) of = subscript(words, of);
    else return of;
  }
}

function subscript(words: Words, of: Expression): Expression {
  const part = () =>
    words.is('operator', ':') || words.is('operator', ']') ? null : parseExpression(words);
  const from = part();
  if (words.take('operator', ']')) {
    if (from === null) throw new TemplateError('an index is missing');
    return { type: 'item', of, key: from };
  }
  words.expect('operator', ':');
  const to = part();
  const step = words.take('operator', ':') ? part() : null;
  words.expect('operator', ']');
  return { type: 'slice', of, from, to, step };
}

const CONSTANTS: Readonly<Record<string, boolean | null>> = {
  ...{ true: true, True: true, false: false, False: false, none: null, None: null },
};

function primary(words: Words): Expression {
  const token = words.next();
  if (token.kind === 'number') return { type: 'literal', value: token.value };
  if (token.kind === 'string') return { type: 'literal', value: strings(words, token.value) };
  if (token.kind === 'name') {
    const constant = Object.hasOwn(CONSTANTS, token.value) ? CONSTANTS[token.value] : undefined;
    if (constant !== undefined) return { type: 'literal', value: constant };
    return { type: 'name', name: token.value };
  }
  if (token.value === '(') return enclosed(words);
  if (token.value === '[') return { type: 'list', items: items(words, ']') };
  if (token.value === '{') return dict(words);
  throw new TemplateError(`${token.value} is not expected here`);
}

/** Strings beside each other are one. */
function strings(words: Words, first: string): string {
  let whole = first;
  for (let token = words.peek(); token?.kind === 'string'; token = words.peek()) {
    whole += token.value;
    words.next();
  }
  return whole;
}

function enclosed(words: Words): Expression {
  if (words.take('operator', ')')) return { type: 'list', items: [] };
  const first = parseExpression(words);
  if (words.take('operator', ')')) return first;
  words.expect('operator', ',');
  return { type: 'list', items: [first, ...items(words, ')')] };
}

function items(words: Words, end: string): Expression[] {
  const found: Expression[] = [];
  while (!words.take('operator', end)) {
    if (found.length > 0) words.expect('operator', ',');
    if (words.take('operator', end)) break;
    found.push(parseExpression(words));
  }
  return found;
}

function dict(words: Words): Expression {
  const entries: (readonly [Expression, Expression])[] = [];
  while (!words.take('operator', '}')) {
    if (entries.length > 0) words.expect('operator', ',');
    if (words.take('operator', '}')) break;
    const key = parseExpression(words);
    words.expect('operator', ':');
    entries.push([key, parseExpression(words)]);
  }
  return { type: 'dict', entries };
}
