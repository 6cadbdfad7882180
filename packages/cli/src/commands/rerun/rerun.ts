import type { Command } from 'commander';
import type { Cli } from '../../context.ts';

export interface RerunOptions {
  readonly run: string;
  readonly name: string | null;
  readonly json: boolean;
}

export function declareRerun(program: Command, cli: Cli, run: typeof runRerun = runRerun): void {
  program
    .command('rerun')
    .description('Submit a run again, with its stored configuration and code')
    .argument('<run>', 'name of the run')
    .option('-n, --name <name>', 'another name for the new run; needed while the run has not ended')
    .option('--json', 'print JSON')
    .action((name, options) =>
      run({ run: name, name: options.name ?? null, json: options.json ?? false }, cli),
    );
}

export async function runRerun(options: RerunOptions, cli: Cli): Promise<void> {
  const connection = await cli.connect();
  const run = await connection.project.runs.rerun({ run_name: options.run }, options.name);
  if (options.json) return cli.io.json(run);
  const name = run.run_spec.run_name ?? '';
  cli.io.info(`Submitted ${name}; dstack attach ${name} shows its output`);
}
