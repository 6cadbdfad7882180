import type { Run } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { showOne } from '../../output/listing.ts';
import {
  addOutputOptions,
  type OutputOptions,
  outputOptions,
} from '../../output/output-options.ts';
import { renderAddresses } from '../../runs/address-table.ts';
import { findRun } from '../../runs/get-run.ts';
import { renderRunTable } from '../../runs/run-table.ts';

export interface RunGetOptions extends OutputOptions {
  readonly name: string | null;
  readonly id: string | null;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function declareRun(program: Command, cli: Cli, run: typeof runRunGet = runRunGet): void {
  const command = program.command('run').description('Show a run');
  command.action(() => command.outputHelp());
  addOutputOptions(command.command('get').description('Show one run'))
    .argument('[name]', 'name of the run')
    .option('--id <uuid>', 'id of the run; finds deleted runs too')
    .action((name, o) => run({ name: name ?? null, id: o.id ?? null, ...outputOptions(o) }, cli));
}

export async function runRunGet(options: RunGetOptions, cli: Cli): Promise<void> {
  const connection = await cli.connect();
  const run = await findRun(connection, reference(options));
  const layout = { width: cli.io.width, paint: cli.io.paint };
  const forms = {
    name: ({ run_spec: { run_name } }: Run) => run_name ?? '',
    table: (runs: readonly Run[]) =>
      renderRunTable([...runs], { verbose: true, now: cli.now(), layout }) +
      renderAddresses(runs, connection, layout),
  };
  await showOne(run, forms, options, cli);
}

function reference(options: RunGetOptions): { run_name: string } | { id: string } {
  if ((options.name === null) === (options.id === null)) {
    throw new UsageError('Give either a name or --id', { next: 'dstack run get NAME --json' });
  }
  if (options.name !== null) return { run_name: options.name };
  return { id: checkedId(options.id ?? '') };
}

/** @throws UsageError before any request is sent. */
export function checkedId(id: string): string {
  if (UUID.test(id)) return id.toLowerCase();
  throw new UsageError(`"${id}" is not a valid UUID`);
}
