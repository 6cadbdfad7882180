import type { Command } from 'commander';
import { loadConfiguration } from '../../configuration/load-file.ts';
import type { Cli } from '../../context.ts';

export interface ValidateOptions {
  readonly files: readonly string[];
  readonly json: boolean;
}

export function declareValidate(
  program: Command,
  cli: Cli,
  run: typeof runValidate = runValidate,
): void {
  program
    .command('validate')
    .description('Check configurations without a server')
    .argument('[file...]', 'configuration files, - for stdin (default: .dstack.yml)')
    .option('-f, --file <file>', 'configuration file')
    .option('--json', 'print the complete configuration as JSON')
    .action((files, options) =>
      run(
        { files: options.file ? [options.file, ...files] : files, json: options.json ?? false },
        cli,
      ),
    );
}

/** Stops at the first file that is not valid. */
export async function runValidate(options: ValidateOptions, cli: Cli): Promise<void> {
  const files = options.files.length > 0 ? options.files : [null];
  for (const file of files) {
    const { value, path } = await loadConfiguration(file, cli);
    if (options.json) cli.io.json(value);
    else cli.io.info(`${path}: valid (${value.type})`);
  }
}
