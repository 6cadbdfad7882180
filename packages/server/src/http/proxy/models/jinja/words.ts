import { TemplateError, type Token } from './lexer.ts';

/** Tokens, one after the other. */
export class Words {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get isOver(): boolean {
    return this.#at >= this.#tokens.length;
  }

  peek(): Token | undefined {
    return this.#tokens[this.#at];
  }

  peekValue(): Token['value'] | undefined {
    return this.peek()?.value;
  }

  is(kind: Token['kind'], value: string): boolean {
    const token = this.peek();
    return token?.kind === kind && token.value === value;
  }

  next(): Token {
    const token = this.#tokens[this.#at];
    if (!token) throw new TemplateError('the template ends too soon');
    this.#at += 1;
    return token;
  }

  back(): void {
    this.#at -= 1;
  }

  /** Whether it was there. */
  take(kind: Token['kind'], value: string): boolean {
    if (!this.is(kind, value)) return false;
    this.#at += 1;
    return true;
  }

  expect(kind: Token['kind'], value: string): void {
    if (!this.take(kind, value)) {
      throw new TemplateError(`${value} is expected, not ${this.peekValue() ?? 'the end'}`);
    }
  }

  expectOpen(value: 'output' | 'statement'): void {
    this.expect('open', value);
  }

  expectClose(value: 'output' | 'statement'): void {
    this.expect('close', value);
  }

  name(): string {
    const token = this.next();
    if (token.kind === 'name') return token.value;
    throw new TemplateError(`a name is expected, not ${token.value}`);
  }
}
