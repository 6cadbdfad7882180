import type { Command } from 'commander';
import type { Cli } from '../../context.ts';

export interface ReleaseOptions {
  readonly names: readonly string[];
}

export function declareRelease(
  program: Command,
  cli: Cli,
  run: typeof runRelease = runRelease,
): void {
  program
    .command('release')
    .description('Let held runs into the queue')
    .argument('<run...>', 'names of the runs')
    .action((names) => run({ names }, cli));
}

/** All or none: the server refuses if one of them is not held. */
export async function runRelease({ names }: ReleaseOptions, cli: Cli): Promise<void> {
  const connection = await cli.connect();
  await connection.project.runs.release(names);
  cli.io.info(`Released ${names.join(', ')}`);
}
