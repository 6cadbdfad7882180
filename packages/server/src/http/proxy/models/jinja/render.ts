import { evaluate } from './evaluate.ts';
import { TemplateError } from './lexer.ts';
import type { Block, Expression, Statement, Target } from './nodes.ts';
import { parseTemplate } from './parser.ts';
import {
  type Callable,
  type Dict,
  isDict,
  isList,
  isTrue,
  itemsOf,
  numberOf,
  textOf,
  type Value,
} from './values.ts';

export { TemplateError } from './lexer.ts';

/**
 * The subset of Jinja that chat templates of models are written in. Templates come from strangers:
 * they reach nothing but what they are given, and their work is bounded. Throws `TemplateError`,
 * also what `raise_exception` says.
 */
export function render(template: string, variables: Readonly<Record<string, Value>>): string {
  const rendering = new Rendering();
  const scope = new Scope(null, { ...GLOBALS, ...variables });
  rendering.run(parseTemplate(template), scope);
  return rendering.text;
}

/** Statements and bytes that no template for a chat comes near to. */
const MAX_STEPS = 200_000;
const MAX_TEXT = 10_000_000;

const raise: Callable = ([message]) => {
  throw new TemplateError(textOf(message));
};

const range: Callable = (args) => {
  const [a = 0, b, step = 1] = args.map(numberOf);
  const [from, to] = b === undefined ? [0, a] : [a, b];
  if (step === 0) throw new TemplateError('range goes nowhere');
  const count = Math.max(0, Math.ceil((to - from) / step));
  if (count > MAX_STEPS) throw new TemplateError('range goes too far');
  return Array.from({ length: count }, (_, i) => from + i * step);
};

const GLOBALS: Readonly<Record<string, Value>> = {
  raise_exception: raise,
  range,
  namespace: (_args, named) => ({ ...named }),
  dict: (_args, named) => ({ ...named }),
};

class Scope {
  readonly #outer: Scope | null;
  readonly #values: Map<string, Value>;

  constructor(outer: Scope | null, values: Readonly<Record<string, Value>> = {}) {
    this.#outer = outer;
    this.#values = new Map(Object.entries(values));
  }

  readonly get = (name: string): Value =>
    this.#values.has(name) ? this.#values.get(name) : this.#outer?.get(name);

  /** What is set in a loop is gone after it, as in Jinja. */
  set(name: string, value: Value): void {
    this.#values.set(name, value);
  }
}

type Flow = 'on' | 'break' | 'continue';

class Rendering {
  text = '';
  #steps = 0;

  run(block: Block, scope: Scope): Flow {
    for (const statement of block) {
      this.#count();
      const flow = this.#step(statement, scope);
      if (flow !== 'on') return flow;
    }
    return 'on';
  }

  #step(statement: Statement, scope: Scope): Flow {
    switch (statement.type) {
      case 'text':
        this.#write(statement.value);
        return 'on';
      case 'output':
        this.#write(textOf(evaluate(statement.value, scope.get)));
        return 'on';
      case 'if': {
        const isChosen = (when: Expression | null) =>
          when === null || isTrue(evaluate(when, scope.get));
        const chosen = statement.branches.find(({ when }) => isChosen(when));
        return chosen ? this.run(chosen.body, scope) : 'on';
      }
      case 'for':
        this.#loop(statement, scope);
        return 'on';
      case 'set':
        this.#set(statement.target, this.#valueOf(statement.value, scope), scope);
        return 'on';
      case 'macro':
        scope.set(statement.name, this.#macro(statement, scope));
        return 'on';
      default:
        return statement.type;
    }
  }

  #count(): void {
    this.#steps += 1;
    if (this.#steps > MAX_STEPS) throw new TemplateError('the template does not end');
  }

  #write(text: string): void {
    this.text += text;
    if (this.text.length > MAX_TEXT) throw new TemplateError('the text becomes too long');
  }

  #loop(loop: Extract<Statement, { readonly type: 'for' }>, scope: Scope): void {
    const { names, over, where, body, otherwise } = loop;
    const inner = (item: Value) => {
      const own = new Scope(scope);
      assign(names, item, own);
      return own;
    };
    const items = itemsOf(evaluate(over, scope.get)).filter(
      (item) => where === null || isTrue(evaluate(where, inner(item).get)),
    );
    if (items.length === 0) this.run(otherwise, scope);
    for (const [index, item] of items.entries()) {
      this.#count();
      const own = inner(item);
      own.set('loop', loopState(items, index));
      if (this.run(body, own) === 'break') return;
    }
  }

  #valueOf(value: Expression | Block, scope: Scope): Value {
    return 'type' in value ? evaluate(value, scope.get) : this.#captured(value, new Scope(scope));
  }

  #captured(block: Block, scope: Scope): string {
    const before = this.text;
    this.text = '';
    this.run(block, scope);
    const captured = this.text;
    this.text = before;
    return captured;
  }

  #set({ names, field }: Target, value: Value, scope: Scope): void {
    if (field === null) {
      assign(names, value, scope);
      return;
    }
    const namespace = scope.get(names[0] ?? '');
    if (!isDict(namespace)) throw new TemplateError(`${names[0]} is no namespace`);
    Object.defineProperty(namespace, field, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }

  #macro(
    { parameters, body }: Extract<Statement, { readonly type: 'macro' }>,
    scope: Scope,
  ): Callable {
    return (args, named) => {
      const own = new Scope(scope);
      for (const [index, { name, preset }] of parameters.entries()) {
        const given = args[index] ?? named[name];
        own.set(name, given === undefined && preset ? evaluate(preset, own.get) : given);
      }
      return this.#captured(body, own);
    };
  }
}

function assign(names: readonly string[], value: Value, scope: Scope): void {
  const [first = ''] = names;
  if (names.length === 1) {
    scope.set(first, value);
    return;
  }
  const parts = isList(value) ? value : [];
  if (parts.length !== names.length)
    throw new TemplateError(`there are not ${names.length} values`);
  for (const [index, name] of names.entries()) scope.set(name, parts[index]);
}

function loopState(items: readonly Value[], index: number): Dict {
  return {
    ...{ index: index + 1, index0: index, length: items.length },
    ...{ revindex: items.length - index, revindex0: items.length - index - 1 },
    ...{ first: index === 0, last: index === items.length - 1 },
    ...{ previtem: items[index - 1], nextitem: items[index + 1] },
    cycle: (args) => args[index % args.length],
  };
}
