import { type Command, Option } from 'commander';
import type { ParsedOptions } from '../commands/apply/flags.ts';
import { UsageError } from '../errors.ts';

/** How a list or a single object is printed. */
export type OutputFormat = 'table' | 'name' | 'yaml' | 'json';

export interface OutputOptions {
  readonly format: OutputFormat;
  /** More columns in tables. */
  readonly verbose: boolean;
}

export interface ListOptions extends OutputOptions {
  readonly watch: boolean;
}

const FORMATS = ['table', 'wide', 'name', 'yaml', 'json'] as const;

function formatOption(): Option {
  return new Option('-o, --output <format>', 'table, wide, name, yaml or json').choices(FORMATS);
}

/** Options of commands that list objects. */
export function addListOptions(command: Command): Command {
  return command
    .option('-v, --verbose', 'show more, as -o wide')
    .option('-w, --watch', 'watch in real time')
    .addOption(formatOption())
    .option('--json', 'print JSON, as -o json');
}

/** Options of commands that show one object, or a list that cannot be watched. */
export function addOutputOptions(command: Command): Command {
  return command.addOption(formatOption()).option('--json', 'print JSON, as -o json');
}

/**
 * Throws a `UsageError` for options that contradict each other. `--format plain|json` is an older
 * spelling that some commands have.
 */
export function outputOptions(o: ParsedOptions): OutputOptions {
  const named = typeof o.output === 'string' ? o.output : null;
  const isJson = o.json === true || o.format === 'json';
  if (isJson && named !== null && named !== 'json') {
    throw new UsageError(`--json and --output ${named} cannot be used together`);
  }
  const format = isJson ? 'json' : named;
  return {
    format: format === null || format === 'wide' ? 'table' : (format as OutputFormat),
    verbose: o.verbose === true || named === 'wide',
  };
}

export function listOptions(o: ParsedOptions): ListOptions {
  const options = outputOptions(o);
  const watch = o.watch === true;
  if (watch && options.format !== 'table') {
    throw new UsageError(`--watch and ${o.json ? '--json' : '--output'} cannot be used together`);
  }
  return { ...options, watch };
}
