import type { Command, Option } from 'commander';
import { COMMANDS } from '../../program.ts';

/** The position that is completed: the end of an unfinished command line. */
export type LinePosition =
  | { readonly kind: 'command' }
  | { readonly kind: 'subcommand'; readonly names: readonly string[] }
  | { readonly kind: 'option'; readonly names: readonly string[] }
  | {
      readonly kind: 'value';
      /** The long name of the option. */
      readonly option: string;
      readonly choices: readonly string[];
      /** Already typed in the same word: `--fleet=`. */
      readonly typed: string;
    }
  | {
      readonly kind: 'argument';
      /** `fleet get`. */
      readonly command: string;
      /** The declared name of the argument: `run`, `name`, `file`. */
      readonly name: string;
      /** The arguments before it. */
      readonly before: readonly string[];
    }
  | { readonly kind: 'nothing' };

export interface Line {
  readonly position: LinePosition;
  /** `--project` on the line. */
  readonly project: string | undefined;
  /** The start of the value to complete. */
  readonly current: string;
}

const GLOBAL_VALUES: Readonly<Record<string, readonly string[]>> = {
  '--project': [],
  '--color': ['auto', 'always', 'never'],
};
const GLOBAL_NAMES = ['--help', '--debug', ...Object.keys(GLOBAL_VALUES)];

/** Finds the position of the last of `words`; `declare` loads a command. */
export async function lineOf(
  words: readonly string[],
  declare: (name: string) => Promise<Command | undefined>,
): Promise<Line> {
  const current = words.at(-1) ?? '';
  const state = new Reader();
  for (const word of words.slice(0, -1)) await state.read(word, declare);
  return { ...state.positionOf(current), project: state.project };
}

/** Reads the finished words of a line. */
class Reader {
  project: string | undefined;
  #command: Command | null = null;
  #isUnknown = false;
  #path: string[] = [];
  #before: string[] = [];
  #pending: string | null = null;
  #isPlain = false;

  async read(word: string, declare: (name: string) => Promise<Command | undefined>): Promise<void> {
    if (this.#isPlain) {
      this.#before.push(word);
    } else if (this.#pending !== null) {
      if (this.#pending === '--project') this.project = word;
      this.#pending = null;
    } else if (word === '--') {
      this.#isPlain = true;
    } else if (word.startsWith('-')) {
      this.#readOption(word);
    } else if (this.#command === null) {
      this.#command = (await declare(word)) ?? null;
      this.#isUnknown = this.#command === null;
      this.#path = [this.#command?.name() ?? word];
    } else {
      const child = this.#childOf(word);
      if (child !== undefined && this.#before.length === 0) {
        this.#command = child;
        this.#path.push(child.name());
      } else {
        this.#before.push(word);
      }
    }
  }

  positionOf(current: string): { position: LinePosition; current: string } {
    const at = (position: LinePosition, text = current) => ({ position, current: text });
    if (this.#isUnknown) return at({ kind: 'nothing' });
    if (this.#pending !== null) return at(this.#valueOf(this.#pending, ''));
    if (!this.#isPlain && current.startsWith('-')) {
      const equals = current.indexOf('=');
      const name = current.slice(0, equals);
      if (equals > 0 && this.#takesValue(name)) {
        return at(this.#valueOf(name, `${name}=`), current.slice(equals + 1));
      }
      return at({ kind: 'option', names: this.#optionNames() });
    }
    if (this.#command === null) return at({ kind: 'command' });
    const parts = this.#command.commands.map((part) => part.name());
    if (parts.length > 0 && this.#before.length === 0) {
      return at({ kind: 'subcommand', names: parts });
    }
    return at(this.#argument());
  }

  #argument(): LinePosition {
    const declared = this.#command?.registeredArguments ?? [];
    const last = declared.at(-1);
    const argument = declared[this.#before.length] ?? (last?.variadic ? last : undefined);
    if (argument === undefined) return { kind: 'nothing' };
    const [command, before] = [this.#path.join(' '), this.#before];
    return { kind: 'argument', command, name: argument.name(), before };
  }

  #readOption(word: string): void {
    const [name = '', value] = word.split('=', 2);
    if (value !== undefined) {
      if (name === '--project') this.project = value;
    } else if (this.#takesValue(name)) this.#pending = name;
  }

  #takesValue(name: string): boolean {
    if (name in GLOBAL_VALUES) return true;
    // `--help [type]` of apply.
    if (name === '-h' || name === '--help') return this.#path[0] === 'apply';
    return this.#optionOf(name)?.required === true;
  }

  #valueOf(name: string, typed: string): LinePosition {
    const option = this.#optionOf(name);
    const choices = GLOBAL_VALUES[name] ?? option?.argChoices ?? [];
    const long = option?.long ?? (name === '-h' ? '--help' : name);
    return { kind: 'value', option: long, choices, typed };
  }

  #options(): readonly Option[] {
    const own = this.#command?.options ?? [];
    const parent = this.#path.length > 1 ? (this.#command?.parent?.options ?? []) : [];
    return [...own, ...parent].filter((option) => !option.hidden);
  }

  #optionOf(name: string): Option | undefined {
    return this.#options().find((option) => option.long === name || option.short === name);
  }

  #optionNames(): string[] {
    const own = this.#options().flatMap((option) => (option.long ? [option.long] : []));
    return [...new Set([...own, ...GLOBAL_NAMES])];
  }

  #childOf(word: string): Command | undefined {
    return this.#command?.commands.find((c) => c.name() === word || c.aliases().includes(word));
  }
}

/** Loads the declaration of a command, by its name or alias. */
export function entryOf(name: string) {
  return COMMANDS.find((c) => c.name === name || c.alias === name);
}
