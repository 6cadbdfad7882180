import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { findRun } from '../../runs/get-run.ts';
import { renderRunTable } from '../../runs/run-table.ts';

export interface RunGetOptions {
  readonly name: string | null;
  readonly id: string | null;
  readonly json: boolean;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function declareRun(program: Command, cli: Cli, run: typeof runRunGet = runRunGet): void {
  const command = program.command('run').description('Show a run');
  command.action(() => command.outputHelp());
  command
    .command('get')
    .description('Show one run')
    .argument('[name]', 'name of the run')
    .option('--id <uuid>', 'id of the run; finds deleted runs too')
    .option('--json', 'print JSON')
    .action((name, options) =>
      run({ name: name ?? null, id: options.id ?? null, json: options.json ?? false }, cli),
    );
}

export async function runRunGet(options: RunGetOptions, cli: Cli): Promise<void> {
  const connection = await cli.connect();
  const run = await findRun(connection, reference(options));
  if (options.json) {
    cli.io.json(run, 2);
    return;
  }
  const layout = { width: cli.io.width, paint: cli.io.paint };
  cli.io.print(renderRunTable([run], { verbose: true, now: cli.now(), layout }));
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
