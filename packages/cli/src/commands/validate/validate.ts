import type { Command } from 'commander';
import { configurationError } from '../../configuration/configuration-error.ts';
import {
  type CheckedConfiguration,
  checkConfiguration,
  warnAbout,
} from '../../configuration/load-file.ts';
import type { Cli } from '../../context.ts';
import { CancelledError, CliError } from '../../errors.ts';
import { reportFailure } from '../../report.ts';

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

/** Checks every file; ends with exit code 1 if any of them is not valid. */
export async function runValidate(options: ValidateOptions, cli: Cli): Promise<void> {
  const files = options.files.length > 0 ? options.files : [null];
  let invalid = 0;
  for (const file of files) {
    try {
      const { value, path } = await validated(file, cli);
      if (options.json) cli.io.json(value);
      else cli.io.info(`${path}: valid (${value.type})`);
    } catch (error) {
      if (!(error instanceof CliError) || error instanceof CancelledError) throw error;
      invalid += 1;
      const exitCode = await reportFailure(error, cli.io, cli.debug);
      cli.setExitCode(exitCode);
    }
  }
  if (files.length < 2) return;
  const summary = `${files.length - invalid} valid, ${invalid} not valid`;
  cli.io.info(summary);
}

/** A value that the server would refuse is an error here: the check should find it without a server. */
async function validated(file: string | null, cli: Cli): Promise<CheckedConfiguration> {
  const checked = await checkConfiguration(file, cli);
  const { warnings, path, text } = checked;
  await warnAbout(
    warnings.filter((warning) => !warning.isRefused),
    path,
    text,
    cli.io,
  );
  const refused = warnings.filter((warning) => warning.isRefused);
  if (refused.length > 0) throw await configurationError(path, text, refused);
  return checked;
}
