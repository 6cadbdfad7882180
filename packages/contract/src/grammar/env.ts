import { Problem, quote } from './problem.ts';

/** A variable whose value is taken from the environment of the CLI's user. */
export interface EnvReference {
  readonly key: string;
}

// No dot-all: a value with a line break must be written in the map form.
const ENV_ITEM = /^([a-zA-Z_][a-zA-Z0-9_]*)(=.*$|$)/;

/** The pattern of an item of the list form, for editors. */
export const ENV_ITEM_PATTERN = ENV_ITEM.source;

/** Reads `NAME=VALUE` or `NAME`. */
export function parseEnvItem(text: string): [name: string, value: string | EnvReference] | Problem {
  const match = ENV_ITEM.exec(text);
  if (!match?.[1] || match[0].length !== text.length) {
    const fix = text.includes('\n')
      ? 'use the map form for a value of several lines'
      : "write 'NAME=value', or 'NAME' to take the value of your own environment";
    return new Problem(`has an item ${quote(text)} that is not a variable: ${fix}`);
  }
  const [, name, rest = ''] = match;
  return rest === '' ? [name, { key: name }] : [name, rest.slice(1)];
}
