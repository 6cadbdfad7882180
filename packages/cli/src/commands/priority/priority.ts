import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { CliError, EXIT } from '../../errors.ts';

export interface PriorityOptions {
  readonly run: string;
  readonly priority: string;
}

export function declarePriority(
  program: Command,
  cli: Cli,
  run: typeof runPriority = runPriority,
): void {
  program
    .command('priority')
    .description('Change the priority of a run')
    .argument('<run>', 'name of the run')
    .argument('<priority>', 'from 0 to 100; higher is placed first')
    .action((name, priority) => run({ run: name, priority }, cli));
}

const HIGHEST = 100;

export async function runPriority(options: PriorityOptions, cli: Cli): Promise<void> {
  const { run: name, priority: text } = options;
  const priority = /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
  if (!(priority <= HIGHEST)) {
    throw new CliError(`The priority must be a whole number from 0 to 100, got ${text}`, {
      exitCode: EXIT.usage,
    });
  }
  const connection = await cli.connect();
  await connection.project.runs.setPriority(name, priority);
  cli.io.info(`Run ${name} has the priority ${priority}`);
}
