import { readdir, readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import type { ConfigurationWarning } from '@dstack/contract';
import { errorMessage } from '@dstack/contract/error-message';
import { shellJoin } from '@dstack/contract/shell';
import { readIfThere } from '../config/config-file.ts';
import type { Cli } from '../context.ts';
import { CliError, UsageError } from '../errors.ts';
import { hangingText } from '../terminal/text-width.ts';
import { configurationError, shownName } from './configuration-error.ts';
import type { ApplicableConfiguration } from './types.ts';

/** A configuration and its origin. */
export interface LoadedConfiguration {
  readonly value: ApplicableConfiguration;
  /**
   * The path sent to the server: relative to the working directory if the file is below it; `-` =
   * stdin.
   */
  readonly path: string;
  /** The directory that relative paths in the configuration start at. */
  readonly directory: string;
}

export const DEFAULT_FILES = ['.dstack.yml', '.dstack.yaml'] as const;

/**
 * Reads and checks a configuration: the named file, stdin for `-`, else the default file of the
 * working directory.
 */
export async function loadConfiguration(
  file: string | null,
  cli: Pick<Cli, 'cwd' | 'io' | 'prompt'>,
): Promise<LoadedConfiguration> {
  const { warnings, text, ...loaded } = await checkConfiguration(file, cli);
  await warnAbout(warnings, loaded.path, text, cli.io);
  return loaded;
}

/** Prints findings that do not make a configuration an error. */
export async function warnAbout(
  warnings: readonly ConfigurationWarning[],
  path: string,
  text: string,
  io: Cli['io'],
): Promise<void> {
  if (warnings.length === 0) return;
  const { formatConfigurationErrors } = await import('@dstack/contract');
  const wrap = (line: string) => hangingText(line, 2, io.errWidth);
  io.warn(formatConfigurationErrors(warnings, shownName(path), text, wrap));
}

/** A configuration with findings that do not make it an error; `text`: as read. */
export interface CheckedConfiguration extends LoadedConfiguration {
  readonly warnings: readonly ConfigurationWarning[];
  readonly text: string;
}

/** Works like {@link loadConfiguration}, but prints nothing. */
export async function checkConfiguration(
  file: string | null,
  cli: Pick<Cli, 'cwd' | 'prompt'>,
): Promise<CheckedConfiguration> {
  const { text, path, directory } = await readConfiguration(file, cli);
  const { parseConfiguration } = await import('@dstack/contract');
  const parsed = parseConfiguration(text, 'configuration');
  if (!parsed.ok) throw await configurationError(path, text, parsed.errors);
  const { warnings } = parsed;
  return { value: parsed.value as ApplicableConfiguration, path, directory, warnings, text };
}

async function readConfiguration(
  file: string | null,
  cli: Pick<Cli, 'cwd' | 'prompt'>,
): Promise<{ text: string; path: string; directory: string }> {
  if (file === '-') return { text: await cli.prompt.readAll(), path: '-', directory: cli.cwd };
  if (file !== null) {
    const absolute = resolve(cli.cwd, file);
    try {
      const text = await readFile(absolute, 'utf8');
      return { text, path: shownPath(absolute, cli.cwd), directory: dirname(absolute) };
    } catch (error) {
      throw unreadable(file, error);
    }
  }
  for (const name of DEFAULT_FILES) {
    const text = await readIfThere(join(cli.cwd, name));
    if (text !== null) return { text, path: name, directory: cli.cwd };
  }
  throw new UsageError('No configuration file', {
    why: `neither -f nor ${DEFAULT_FILES.join(' or ')} in ${cli.cwd}`,
    next: await applyHint(cli.cwd),
  });
}

/**
 * The command to advise in a directory without a default file. It names a configuration if there is only
 * one: with several of them it would be a guess.
 */
export async function applyHint(cwd: string): Promise<string> {
  const names: string[] = await readdir(cwd).catch(() => []);
  if (DEFAULT_FILES.some((name) => names.includes(name))) return 'dstack apply';
  const [file, ...others] = names.filter((name) => /\.dstack\.ya?ml$/.test(name));
  if (file === undefined) return 'dstack init --template hello';
  return `dstack apply -f ${others.length === 0 ? shellJoin([file]) : 'FILE'}`;
}

/** The command that creates the first object of a kind: its file may be there already. */
export async function creationHint(
  cwd: string,
  kind: 'fleet' | 'volume' | 'gateway',
): Promise<string> {
  const file = `${kind}.dstack.yml`;
  const names: string[] = await readdir(cwd).catch(() => []);
  return names.includes(file) ? `dstack apply -f ${file}` : `dstack init --template ${kind}`;
}

function shownPath(absolute: string, cwd: string): string {
  const inside = relative(cwd, absolute);
  return inside.startsWith('..') || isAbsolute(inside) ? absolute : inside;
}

function unreadable(file: string, error: unknown): CliError {
  const code = (error as NodeJS.ErrnoException).code;
  const why =
    code === 'ENOENT'
      ? 'there is no such file'
      : code === 'EISDIR'
        ? 'it is a directory'
        : errorMessage(error);
  return new CliError(`Cannot read ${file}`, { why, next: 'correct the path', cause: error });
}
