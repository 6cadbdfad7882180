import type { Command } from 'commander';
import type { Cli } from '../../context.ts';

export interface RerunOptions {
  readonly run: string;
  readonly name: string | null;
  /** For an array: submit only the members that are not done. */
  readonly failed: boolean;
  readonly json: boolean;
}

export function declareRerun(program: Command, cli: Cli, run: typeof runRerun = runRerun): void {
  program
    .command('rerun')
    .description('Submit a run again, with its stored configuration and code')
    .argument('<run>', 'name of the run')
    .option('-n, --name <name>', 'another name for the new run; needed while the run has not ended')
    .option('--failed', 'of an array: only the members that are not done')
    .option('--json', 'print JSON')
    .action((run_name, options) => {
      const { name = null, failed = false, json = false } = options;
      return run({ run: run_name, name, failed, json }, cli);
    });
}

export async function runRerun(options: RerunOptions, cli: Cli): Promise<void> {
  const connection = await cli.connect();
  const run = await connection.project.runs.rerun({ run_name: options.run }, options.name, {
    failedOnly: options.failed,
  });
  if (options.json) return cli.io.json(run);
  const name = run.run_spec.run_name ?? '';
  const next = run.array
    ? `dstack ps --members ${name} lists its members`
    : `dstack attach ${name} shows its output`;
  cli.io.info(`Submitted ${name}; ${next}`);
}
