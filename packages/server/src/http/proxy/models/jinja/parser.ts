import { parseExpression } from './expressions.ts';
import { TemplateError, tokens } from './lexer.ts';
import type { Block, Expression, Statement } from './nodes.ts';
import { Words } from './words.ts';

/** Throws `TemplateError`. */
export function parseTemplate(template: string): Block {
  const words = new Words(tokens(template));
  const block = parseBlock(words, []);
  if (!words.isOver) throw new TemplateError(`${words.peekValue()} has no beginning`);
  return block;
}

/** Up to a statement with one of these names, which is left there. */
function parseBlock(words: Words, ends: readonly string[]): Block {
  const statements: Statement[] = [];
  while (!words.isOver) {
    const token = words.next();
    if (token.kind === 'text') statements.push({ type: 'text', value: token.value });
    else if (token.kind === 'open' && token.value === 'output') {
      statements.push({ type: 'output', value: parseExpression(words) });
      words.expectClose('output');
    } else {
      const name = words.peekValue();
      if (ends.includes(String(name))) {
        words.back();
        return statements;
      }
      const statement = parseStatement(words);
      if (statement) statements.push(...statement);
    }
  }
  if (ends.length > 0) throw new TemplateError(`${ends.at(-1)} is missing`);
  return statements;
}

function parseStatement(words: Words): Statement[] | null {
  const name = words.name();
  switch (name) {
    case 'if':
      return [parseIf(words)];
    case 'for':
      return [parseFor(words)];
    case 'set':
      return [parseSet(words)];
    case 'macro':
      return [parseMacro(words)];
    case 'break':
    case 'continue':
      words.expectClose('statement');
      return [{ type: name }];
    case 'generation': {
      // Marks what the model says, for training; it changes no text.
      words.expectClose('statement');
      const body = parseBlock(words, ['endgeneration']);
      end(words, 'endgeneration');
      return [...body];
    }
    default:
      throw new TemplateError(`the statement ${name} is not known`);
  }
}

function end(words: Words, name: string): void {
  words.expectOpen('statement');
  words.expect('name', name);
  words.expectClose('statement');
}

function parseIf(words: Words): Statement {
  const branches: { when: Expression | null; body: Block }[] = [];
  let when: Expression | null = parseExpression(words);
  for (;;) {
    words.expectClose('statement');
    const body = parseBlock(words, ['elif', 'else', 'endif']);
    branches.push({ when, body });
    words.expectOpen('statement');
    const name = words.name();
    if (name === 'endif') break;
    when = name === 'elif' ? parseExpression(words) : null;
  }
  words.expectClose('statement');
  return { type: 'if', branches };
}

function parseFor(words: Words): Statement {
  const names = parseNames(words);
  words.expect('name', 'in');
  const over = parseExpression(words, { withoutChoice: true });
  const where = words.take('name', 'if') ? parseExpression(words) : null;
  words.expectClose('statement');
  const body = parseBlock(words, ['else', 'endfor']);
  words.expectOpen('statement');
  let otherwise: Block = [];
  if (words.name() === 'else') {
    words.expectClose('statement');
    otherwise = parseBlock(words, ['endfor']);
    words.expectOpen('statement');
    words.expect('name', 'endfor');
  }
  words.expectClose('statement');
  return { type: 'for', names, over, where, body, otherwise };
}

function parseNames(words: Words): string[] {
  const isEnclosed = words.take('operator', '(');
  const names = [words.name()];
  while (words.take('operator', ',')) names.push(words.name());
  if (isEnclosed) words.expect('operator', ')');
  return names;
}

function parseSet(words: Words): Statement {
  const names = parseNames(words);
  const field = words.take('operator', '.') ? words.name() : null;
  const target = { names, field };
  if (words.take('operator', '=')) {
    const value = parseExpression(words, { asTuple: true });
    words.expectClose('statement');
    return { type: 'set', target, value };
  }
  words.expectClose('statement');
  const value = parseBlock(words, ['endset']);
  end(words, 'endset');
  return { type: 'set', target, value };
}

function parseMacro(words: Words): Statement {
  const name = words.name();
  const parameters: { name: string; preset: Expression | null }[] = [];
  words.expect('operator', '(');
  while (!words.take('operator', ')')) {
    if (parameters.length > 0) words.expect('operator', ',');
    const parameter = words.name();
    const preset = words.take('operator', '=') ? parseExpression(words) : null;
    parameters.push({ name: parameter, preset });
  }
  words.expectClose('statement');
  const body = parseBlock(words, ['endmacro']);
  end(words, 'endmacro');
  return { type: 'macro', name, parameters, body };
}
