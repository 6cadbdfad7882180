import type { Command } from 'commander';
import { COMMAND_SUMMARIES } from '../../command-summaries.ts';
import type { Cli } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { bashScript, fishScript, zshScript } from './scripts.ts';

const SHELLS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

export function declareCompletion(
  program: Command,
  cli: Cli,
  run: typeof runCompletion = runCompletion,
): void {
  program
    .command('completion')
    .description('Print the completion script of a shell')
    .argument('<shell>', Object.keys(SHELLS).join(', '))
    .addHelpText(
      'after',
      `
Examples:
  eval "$(dstack completion bash)"
  dstack completion fish | source
`,
    )
    .action((shell) => run({ shell }, cli));
}

export async function runCompletion({ shell }: { shell: string }, cli: Cli): Promise<void> {
  const script = SHELLS[shell as keyof typeof SHELLS];
  if (script === undefined) {
    throw new UsageError(`No completion for ${shell}`, {
      why: `known shells: ${Object.keys(SHELLS).join(', ')}`,
    });
  }
  cli.io.print(script(COMMAND_SUMMARIES));
}
