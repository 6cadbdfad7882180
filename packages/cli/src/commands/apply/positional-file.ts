import { join } from 'node:path';
import { shellJoin } from '@dstack/contract/shell';
import { readIfThere } from '../../config/config-file.ts';
import { DEFAULT_FILES } from '../../configuration/load-file.ts';
import type { ApplicableConfiguration } from '../../configuration/types.ts';
import { isRunConfiguration } from '../../configuration/types.ts';
import type { Cli } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import type { ApplyOptions } from './apply-options.ts';

const RUN_ARGS = /\$\{\{\s*run\.args\s*\}\}/;

export function isConfigurationName(word: string): boolean {
  return /\.ya?ml$/i.test(word);
}

/**
 * `dstack apply train.dstack.yml`, without `-f`: the word is the file, unless the default
 * configuration takes arguments.
 */
export async function withPositionalFile(
  options: ApplyOptions,
  cli: Pick<Cli, 'cwd'>,
): Promise<ApplyOptions> {
  const [word, ...runArgs] = options.runArgs;
  const isFile = options.file === null && options.countBeforeDashes > 0 && word !== undefined;
  if (!isFile || !isConfigurationName(word) || (await defaultTakesArguments(cli.cwd))) {
    return options;
  }
  return { ...options, file: word, runArgs, countBeforeDashes: options.countBeforeDashes - 1 };
}

async function defaultTakesArguments(cwd: string): Promise<boolean> {
  for (const name of DEFAULT_FILES) {
    const text = await readIfThere(join(cwd, name));
    if (text !== null) return RUN_ARGS.test(text);
  }
  return false;
}

/** Arguments without effect are refused: the user may have meant another file. */
export function refuseUnusedArguments(
  value: ApplicableConfiguration,
  path: string,
  runArgs: readonly string[],
): void {
  if (runArgs.length === 0 || !isRunConfiguration(value) || usesArguments(value)) return;
  const file = runArgs.find(isConfigurationName);
  throw new UsageError(`${path} uses no arguments, but got: ${shellJoin(runArgs)}`, {
    why: 'arguments replace ${{ run.args }} in the commands of a task or service',
    next:
      file === undefined
        ? 'write ${{ run.args }} in its commands, or leave the arguments out'
        : `dstack apply -f ${shellJoin([file])}`,
  });
}

function usesArguments(value: ApplicableConfiguration): boolean {
  const { commands, groups } = value as {
    commands?: readonly string[] | null;
    groups?: readonly { readonly commands?: readonly string[] | null }[] | null;
  };
  const all = [...(commands ?? []), ...(groups ?? []).flatMap((group) => group.commands ?? [])];
  return all.some((command) => RUN_ARGS.test(command));
}
