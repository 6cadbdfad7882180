/**
 * Renders the chat templates of models with the engine that Hugging Face maintains for them. The engine
 * has no limits, and templates are programs of users, so this code passes them nothing but the messages
 * and bounds their steps and texts. The cost of one step is not bounded; the process has limits of time
 * and memory for that (`template-renderer.ts`).
 */
import { Environment, Interpreter, Template } from '@huggingface/jinja';

/** Far more steps and characters than any template of a chat needs. */
const MAX_STEPS = 1_000_000;
const MAX_TEXT = 10_000_000;

/** Throws an error with the problem of the template, or the message of its `raise_exception`. */
export function renderChat(template: string, messages: unknown): string {
  const environment = new Environment();
  const variables = { ...GLOBALS, messages, add_generation_prompt: true };
  for (const [name, value] of Object.entries(variables)) environment.set(name, value);
  const text = new BoundedInterpreter(environment).run(new Template(template).parsed);
  return String(text.value);
}

const GLOBALS: Readonly<Record<string, unknown>> = {
  ...{ true: true, false: false, none: null, True: true, False: false, None: null },
  raise_exception: (message: unknown) => {
    throw new Error(String(message));
  },
  range: (...bounds: unknown[]): number[] => {
    const numbers = bounds.map(Number);
    const [from = 0, to = 0, step = 1] = numbers.length === 1 ? [0, ...numbers] : numbers;
    const count = Math.max(0, Math.ceil((to - from) / step));
    if (Number.isNaN(count) || step === 0) throw new Error('range needs whole numbers');
    if (count > MAX_STEPS) throw new Error('range goes too far');
    return Array.from({ length: count }, (_, i) => from + i * step);
  },
};

/** The used part of the engine's interpreter, whose own types cannot be resolved as ES modules. */
interface Evaluator {
  run(program: unknown): { readonly value: unknown };
  evaluate(statement: unknown, scope: unknown): { readonly value: unknown };
}

class BoundedInterpreter extends (Interpreter as new (globals: unknown) => Evaluator) {
  #steps = 0;

  override evaluate(statement: unknown, scope: unknown): { readonly value: unknown } {
    this.#steps += 1;
    if (this.#steps > MAX_STEPS) throw new Error('the template does not end');
    const result = super.evaluate(statement, scope);
    if (typeof result.value === 'string' && result.value.length > MAX_TEXT) {
      throw new Error('the text becomes too long');
    }
    return result;
  }
}
