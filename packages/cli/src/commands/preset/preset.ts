import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { CliError } from '../../errors.ts';

export function declarePreset(program: Command, cli: Cli, run: typeof runPreset = runPreset): void {
  program
    .command('preset')
    .description('Presets of dstack 0.22, which this server does not have')
    .argument('[command...]', 'any command of dstack 0.22')
    .allowUnknownOption()
    .action(() => run(cli));
}

export async function runPreset(cli: Cli): Promise<void> {
  const { client } = await cli.connectToServer();
  throw new CliError('This server has no presets', {
    why: `${client.url} offers no endpoint for them`,
    next: 'describe the service in a configuration: dstack init --template service',
  });
}
