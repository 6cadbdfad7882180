import { Command } from 'commander';
import type { Cli } from '../context.ts';

/**
 * Parses arguments with a command's declaration and nothing else: `declare` gets a program and a
 * context that it can only pass on. Throws the parser's errors.
 */
export async function parseCommand(
  declare: (program: Command, cli: Cli) => void,
  argv: readonly string[],
): Promise<void> {
  const silent = { writeOut: () => {}, writeErr: () => {} };
  const program = new Command('dstack').exitOverride().configureOutput(silent);
  declare(program, { args: argv.slice(1), env: {} } as unknown as Cli);
  await program.parseAsync([...argv], { from: 'user' });
}
