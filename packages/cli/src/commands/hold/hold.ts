import type { Command } from 'commander';
import type { Cli } from '../../context.ts';

export interface HoldOptions {
  readonly names: readonly string[];
}

export function declareHold(program: Command, cli: Cli, run: typeof runHold = runHold): void {
  program
    .command('hold')
    .description('Keep waiting runs out of the queue until they are released')
    .argument('<run...>', 'names of the runs')
    .action((names) => run({ names }, cli));
}

/** All or none: the server refuses if one of them does not wait. */
export async function runHold({ names }: HoldOptions, cli: Cli): Promise<void> {
  const connection = await cli.connect();
  await connection.project.runs.hold(names);
  cli.io.info(
    `Held ${names.join(', ')}; dstack release ${names.join(' ')} lets them into the queue`,
  );
}
