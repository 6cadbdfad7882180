import type { Command } from 'commander';
import { APPLY_TYPES } from '../../configuration/types.ts';
import type { Cli } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { collect } from '../../options.ts';
import type { ApplyOptions } from './apply-options.ts';
import {
  addOfferFlags,
  addProfileFlags,
  addRepoFlags,
  addResourceFlags,
  type ParsedOptions,
  PLAN_OFFERS,
  runFlags,
} from './flags.ts';

export type RunApply = (options: ApplyOptions, cli: Cli) => Promise<void>;

/** Loads what applying needs, including the configuration language, only when it is needed. */
const runApplyLazily: RunApply = async (options, cli) =>
  (await import('./apply.ts')).runApply(options, cli);

export function declareApply(program: Command, cli: Cli, run: RunApply = runApplyLazily): void {
  const type = helpType(cli.args);
  const command = program
    .command('apply')
    .description('Apply a configuration: show the plan, ask, then create or update')
    .helpOption(
      '-h, --help [type]',
      `help; with a type (${APPLY_TYPES.join(', ')}) only its options`,
    )
    .argument(
      '[run-args...]',
      'behind --: arguments for ${{ run.args }} (task, service); a .yml before it: as -f',
    )
    .option('-f, --file <file>', 'configuration file, - for stdin (default: .dstack.yml)')
    .option('-y, --yes', 'do not ask')
    .option(
      '--force',
      'with --yes: apply even if nothing has changed, or data on a volume are lost',
    )
    .option('-d, --detach', 'return after submitting')
    .option('-v, --verbose', 'show more of the plan')
    .option('--dry-run', 'show the plan and stop')
    .option('--json', 'print JSON: the plan with --dry-run or after "no", else the result')
    .option('-n, --name <name>', 'name, instead of the one in the file');
  if (type !== 'gateway' && type !== 'volume' && type !== 'quota') {
    command.option('-e, --env <key[=value]>', 'environment variable (repeatable)', collect);
  }
  if (type === null || isRunType(type)) addRunOptions(command, type);
  command.addHelpText('after', helpExamples(type));
  command.action((runArgs: string[], options: ParsedOptions) =>
    run(applyOptions(command, cli.args, runArgs, options), cli),
  );
}

function addRunOptions(command: Command, type: string | null): void {
  command.option('--ssh-identity <file>', 'private SSH key to use instead of yours on the server');
  if (type !== 'service') {
    command
      .option(
        '-p, --port <mapping>',
        'port to forward: 8080, 80:8080 or *:8080 (repeatable)',
        collect,
      )
      .option('--host <host>', 'local address to forward from', 'localhost');
  }
  addOfferFlags(command, PLAN_OFFERS);
  addResourceFlags(command);
  addProfileFlags(command);
  addRepoFlags(command);
}

function applyOptions(
  command: Command,
  words: readonly string[],
  runArgs: string[],
  o: ParsedOptions,
): ApplyOptions {
  const given = command.options
    .filter((option) => command.getOptionValueSource(option.attributeName()) === 'cli')
    .map((option) => option.long ?? option.flags);
  return {
    file: typeof o.file === 'string' ? o.file : null,
    yes: o.yes === true,
    force: o.force === true,
    detach: o.detach === true,
    verbose: o.verbose === true,
    json: o.json === true,
    dryRun: o.dryRun === true,
    flags: runFlags(o),
    runArgs,
    countBeforeDashes: runArgs.length - countBehindDashes(words),
    given,
  };
}

/** The parser removes `--` from the arguments, so it is looked up on the line as given. */
function countBehindDashes(words: readonly string[]): number {
  const at = words.indexOf('--');
  return at < 0 ? 0 : words.length - at - 1;
}

function isRunType(type: string): boolean {
  return type === 'task' || type === 'service' || type === 'dev-environment';
}

/** The type named behind `-h`; null if there is none. */
function helpType(words: readonly string[]): string | null {
  const at = words.findIndex((word) => word === '-h' || word === '--help');
  const type = at < 0 ? undefined : words[at + 1];
  if (type === undefined || type.startsWith('-')) return null;
  if ((APPLY_TYPES as readonly string[]).includes(type)) return type;
  throw new UsageError(`Unknown configuration type ${type}`, {
    why: `known: ${APPLY_TYPES.join(', ')}`,
  });
}

function helpExamples(type: string | null): string {
  const hint = type === null ? '\nOptions of one type only: dstack apply -h TYPE\n' : '';
  return `
Examples:
  dstack apply -f train.dstack.yml
  dstack apply -f train.dstack.yml --gpu H100:2 -y -d
  echo n | dstack apply -f train.dstack.yml     (the plan only)
${hint}`;
}
