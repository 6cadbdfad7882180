import { loadConfiguration } from '../../configuration/load-file.ts';
import { isRunConfiguration } from '../../configuration/types.ts';
import type { Cli } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import type { ApplyOptions } from './apply-options.ts';
import { refuseUnusedArguments, withPositionalFile } from './positional-file.ts';

/** Options that every type of configuration accepts. */
const COMMON = [
  '--file',
  '--yes',
  '--force',
  '--detach',
  '--verbose',
  '--dry-run',
  '--json',
  '--name',
];

/** Reads the configuration and calls the function that applies its type. */
export async function runApply(given: ApplyOptions, cli: Cli): Promise<void> {
  const options = await withPositionalFile(given, cli);
  if (options.file === '-' && !options.yes && !options.dryRun) {
    throw new UsageError('Cannot ask when the configuration is read from the input', {
      next: 'pass --yes (or --dry-run to see the plan)',
    });
  }
  const loaded = await loadConfiguration(options.file, cli);
  const { value } = loaded;
  refuseUnusedArguments(value, loaded.path, options.runArgs);
  if (isRunConfiguration(value)) {
    if (value.type === 'service') refuse(options, ['--port', '--host'], value.type);
    const { runApplyRun: applyRun } = await import('./run.ts');
    return applyRun({ ...loaded, value }, options, cli);
  }
  if (value.type === 'fleet') {
    onlyCommon(options, ['--env'], value.type);
    const { runApplyFleet: applyFleet } = await import('./fleet.ts');
    return applyFleet({ ...loaded, value }, options, cli);
  }
  onlyCommon(options, [], value.type);
  if (value.type === 'gateway') {
    const { runApplyGateway: applyGateway } = await import('./gateway.ts');
    return applyGateway({ ...loaded, value }, options, cli);
  }
  if (value.type === 'volume') {
    const { runApplyVolume: applyVolume } = await import('./volume.ts');
    return applyVolume({ ...loaded, value }, options, cli);
  }
  if (value.type === 'quota') {
    refuse(options, ['--name', '--detach'], value.type);
    const { runApplyQuota: applyQuota } = await import('./quota.ts');
    return applyQuota({ ...loaded, value }, options, cli);
  }
  throw new UsageError(`Cannot apply a configuration of type ${(value as { type: string }).type}`);
}

function onlyCommon(options: ApplyOptions, more: readonly string[], type: string): void {
  const foreign = options.given.filter((flag) => !COMMON.includes(flag) && !more.includes(flag));
  refuse({ ...options, given: foreign }, foreign, type);
  if (options.runArgs.length > 0) throw unrecognized(options.runArgs, type);
}

function refuse(options: ApplyOptions, flags: readonly string[], type: string): void {
  const wrong = options.given.filter((flag) => flags.includes(flag));
  if (wrong.length > 0) throw unrecognized(wrong, type);
}

function unrecognized(words: readonly string[], type: string): UsageError {
  return new UsageError(`Unrecognized arguments: ${words.join(' ')}`, {
    why: `a configuration of type ${type} has no such options`,
    next: `dstack apply -h ${type}`,
  });
}
