import { UsageError } from './errors.ts';

/** The options that every command has. They may stand anywhere on the line. */
export interface GlobalOptions {
  readonly project: string | undefined;
  readonly debug: boolean;
  readonly color: 'auto' | 'always' | 'never';
}

/** Splits the global options from the arguments, up to `--`. The rest goes to the command. */
export function splitGlobalOptions(argv: readonly string[]): {
  options: GlobalOptions;
  rest: string[];
} {
  let project: string | undefined;
  let color: GlobalOptions['color'] = 'auto';
  let debug = false;
  const rest: string[] = [];
  for (let i = 0; i < argv.length; i += 1) {
    const word = argv[i] ?? '';
    if (word === '--') {
      rest.push(...argv.slice(i));
      break;
    }
    const [name, inline] = splitAtEquals(word);
    if (name === '--project' || name === '--color') {
      if (inline === undefined) i += 1;
      const value = inline ?? argv[i];
      if (value === undefined) throw new UsageError(`Option ${name} needs a value`);
      if (name === '--project') project = value;
      else color = colourMode(value);
    } else if (word === '--debug') {
      debug = true;
    } else {
      rest.push(word);
    }
  }
  return { options: { project, debug, color }, rest };
}

function splitAtEquals(word: string): [name: string, value: string | undefined] {
  const at = word.indexOf('=');
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

function colourMode(value: string): GlobalOptions['color'] {
  if (value === 'auto' || value === 'always' || value === 'never') return value;
  throw new UsageError(`Option --color cannot be "${value}"`, {
    why: 'allowed: auto, always, never',
  });
}

/**
 * Completes a shortened long option (`--verb` for `--verbose`) if exactly one option of the command
 * starts with it. The parser judges everything else.
 */
export function expandPrefixes(words: readonly string[], known: readonly string[]): string[] {
  const expanded: string[] = [];
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i] ?? '';
    if (word === '--') return [...expanded, ...words.slice(i)];
    const [name, value] = splitAtEquals(word);
    const fits = known.filter((option) => option.startsWith(name));
    const cut = name.length > 3 && name.startsWith('--') && !known.includes(name);
    const only = cut && fits.length === 1 ? fits[0] : undefined;
    expanded.push(only === undefined ? word : value === undefined ? only : `${only}=${value}`);
  }
  return expanded;
}
